"""What nginx cannot say although it knows the field: values, and fields that go ill together."""

import re
from collections.abc import Iterator

from loadpath.balance.endpoint import Endpoint
from loadpath.export.errors import Refusal
from loadpath.export.fates import control_characters, refusals, step
from loadpath.export.hosts import server_names
from loadpath.export.nginx.bodies import CODES
from loadpath.export.nginx.fields import FATES
from loadpath.export.nginx.places import Place, places, prefix_of
from loadpath.export.nginx.rates import rate_of
from loadpath.export.nginx.splits import shares_of
from loadpath.export.nginx.types import types_of
from loadpath.gateway.settings.filters import Compression
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Certificate
from loadpath.gateway.settings.routes import Route, Static
from loadpath.gateway.settings.upstreams import UpstreamSettings

_BACKUPS = ("round_robin", "least_connections")
_OWN_FIELDS = frozenset({"server", "date"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NEVER_SENT = 444
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")


def refused_by_nginx(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give everything in settings that an nginx file cannot say."""
    yield from control_characters(settings)
    yield from refusals(settings, FATES)
    yield from _certificates(settings)
    for name, upstream in settings.upstreams.items():
        yield from _upstream(f"$.upstreams{step(name)}", upstream)
    for place, route in enumerate(settings.routes):
        yield from _route(f"$.routes[{place}]", route)
    for name in server_names(settings):
        for each in places(settings, name):
            yield from _chain(each)


def _certificates(settings: GatewaySettings) -> Iterator[Refusal]:
    chains: list[tuple[Certificate, ...]] = []
    for place, listener in enumerate(settings.listeners):
        path = f"$.listeners[{place}].tls"
        for number, each in enumerate(listener.tls[1:], start=1):
            if not each.names:
                yield Refusal(
                    path=f"{path}[{number}].names",
                    why="nginx chooses a certificate by name before it reads any",
                    instead="write the names that it carries",
                )
        if listener.tls:
            chains.append(listener.tls)
            if listener.tls != chains[0]:
                yield Refusal(
                    path=path,
                    why="nginx chooses certificates by server, not by port",
                    instead="use the same certificates for all listeners",
                )


def _upstream(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    policy = upstream.policy
    if policy in ("maglev", "least_response_time"):
        instead = "ketama" if policy == "maglev" else "least_connections"
        yield Refusal(path=f"{path}.policy", why=f"nginx has no {policy}", instead=f"use {instead}")
    if policy not in _BACKUPS:
        for place, each in enumerate(upstream.endpoints):
            if each.backup:
                yield Refusal(
                    path=f"{path}.endpoints[{place}].backup",
                    why=f"nginx has no backups beside {policy}",
                    instead=f"use {_BACKUPS[0]} or {_BACKUPS[1]}",
                )
    key = upstream.hash
    if key.source == "cookie" and "-" in key.name:
        yield Refusal(
            path=f"{path}.hash.name",
            why=f"nginx has no variable for {key.name!r}",
            instead="use letters, digits and `_`",
        )
    yield from _variable(f"{path}.hash.name", key.name)
    yield from _sticky(path, upstream)
    yield from _tls(f"{path}.tls", upstream)


def _chain(place: Place) -> Iterator[Refusal]:
    """Give what goes ill together where several routes wait for the requests of one location."""
    first = place.chain[0].route
    if len(place.chain) > len(CODES):
        yield Refusal(
            path=f"$.routes[{place.chain[len(CODES)].number}]",
            why=f"nginx leads on to {len(CODES)} routes from one path",
            instead="take fewer routes for the same path",
        )
    for number, route in place.chain:
        if route.max_body != first.max_body:
            yield Refusal(
                path=f"$.routes[{number}].max_body",
                why="nginx looks at the size before it chooses between routes of one path",
                instead=f"use the same bound as {first.name}",
            )
        if route.static is not None and prefix_of(route.match) and len(place.chain) > 1:
            yield Refusal(
                path=f"$.routes[{number}].static",
                why="nginx serves a folder below a prefix for all of its requests or for none",
                instead="remove the conditions, or the other routes of this prefix",
            )


def _variable(path: str, name: str) -> Iterator[Refusal]:
    if name and not _VARIABLE.fullmatch(name.replace("-", "_")):
        yield Refusal(
            path=path,
            why=f"nginx has no variable for {name!r}",
            instead="use letters, digits and `-`",
        )


def _sticky(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    if upstream.sticky is not None and upstream.policy not in _BACKUPS:
        yield Refusal(
            path=f"{path}.sticky",
            why=f"nginx keeps clients either by a cookie or by {upstream.policy}",
            instead=f"use {_BACKUPS[0]} or {_BACKUPS[1]}",
        )


def _tls(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    tls = upstream.tls
    if tls is None:
        return
    if not tls.ca:
        yield Refusal(
            path=f"{path}.ca",
            why="nginx does not know the system's authorities",
            instead="name their file, such as /etc/ssl/certs/ca-certificates.crt",
        )
    hosts = {Endpoint.parse(each.address).host for each in upstream.endpoints}
    if not tls.server_name and len(hosts) > 1:
        yield Refusal(
            path=f"{path}.server_name",
            why="nginx wants one name for all endpoints",
            instead="write the name that their certificates share",
        )


def _route(path: str, route: Route) -> Iterator[Refusal]:
    yield from _limits(path, route)
    yield from _answers(path, route)
    yield from _fields(path, route)
    for name in route.match.headers:
        yield from _variable(f"{path}.match.headers{step(name)}", name)
    if route.static is not None:
        yield from _static(f"{path}.static", route.static)
    if route.compress is not None:
        yield from _compression(f"{path}.compress", route.compress)
    if route.targets and None in shares_of(route.targets):
        yield Refusal(
            path=f"{path}.targets",
            why="nginx splits in hundredths of a percent",
            instead="use weights whose shares are at least 0.01 %",
        )
    if route.mirror is not None and (route.rewrite.prefix or route.rewrite.path):
        yield Refusal(
            path=f"{path}.mirror",
            why="nginx copies the path that the client asked",
            instead="remove the rewrite or the mirror",
        )


def _limits(path: str, route: Route) -> Iterator[Refusal]:
    limit = route.rate_limit
    if limit is None:
        return
    if limit.key == "principal":
        yield Refusal(
            path=f"{path}.rate_limit.key",
            why="nginx does not know who a token is for",
            instead='use "client" or "header"',
        )
    yield from _variable(f"{path}.rate_limit.header", limit.header)
    if rate_of(limit) is None:
        yield Refusal(
            path=f"{path}.rate_limit.period",
            why="nginx counts whole requests per second or per minute",
            instead="write limit and period so that one of both is whole",
        )
    if route.respond is not None:
        yield Refusal(
            path=f"{path}.rate_limit",
            why="nginx gives fixed answers before it counts",
            instead="remove it",
        )


def _answers(path: str, route: Route) -> Iterator[Refusal]:
    respond = route.respond
    if respond is None:
        return
    redirects = respond.status in _REDIRECTS
    if respond.status == _NEVER_SENT or (respond.location != "") is not redirects:
        yield Refusal(
            path=f"{path}.respond.status",
            why="nginx redirects with 301, 302, 303, 307 and 308, and closes with 444",
            instead="use one of them with a location, another one without",
        )
    if respond.location and respond.body:
        yield Refusal(path=f"{path}.respond.body", why="nginx writes its own", instead="remove it")
    if route.addresses.allow or route.addresses.deny:
        yield Refusal(
            path=f"{path}.addresses",
            why="nginx gives fixed answers before it looks at addresses",
            instead="remove them",
        )


def _fields(path: str, route: Route) -> Iterator[Refusal]:
    rules = route.response_headers
    for name in (*rules.set, *rules.remove):
        if name.lower() in _OWN_FIELDS:
            yield Refusal(
                path=f"{path}.response_headers",
                why=f"nginx writes {name} itself",
                instead=f"remove {name}",
            )
    if rules.remove and not route.targets:
        yield Refusal(
            path=f"{path}.response_headers.remove",
            why="nginx removes only what an upstream sent",
            instead="remove it",
        )
    if not route.targets and (route.request_headers.set or route.request_headers.remove):
        yield Refusal(
            path=f"{path}.request_headers",
            why="nginx changes only what goes to an upstream",
            instead="remove them",
        )


def _static(path: str, static: Static) -> Iterator[Refusal]:
    if not static.index:
        yield Refusal(
            path=f"{path}.index", why="nginx always looks for an index", instead="name a file"
        )
    if not static.root.startswith("/"):
        yield Refusal(
            path=f"{path}.root",
            why="nginx looks below its own folder",
            instead="write the whole path, from the root",
        )


def _compression(path: str, compress: Compression) -> Iterator[Refusal]:
    if compress.encodings not in (Compression().encodings, ("gzip",)):
        yield Refusal(path=f"{path}.encodings", why="nginx has gzip only", instead='write ["gzip"]')
    if types_of(compress) is None:
        yield Refusal(
            path=f"{path}.types",
            why="nginx lists media types one by one",
            instead="write them out; `text/*` alone is known",
        )
