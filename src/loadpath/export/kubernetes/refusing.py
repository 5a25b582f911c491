"""What Kubernetes cannot say although it knows the field: values and names."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from loadpath.balance.endpoint import Endpoint
from loadpath.export.errors import Refusal
from loadpath.export.fates import refusals, step
from loadpath.export.kubernetes.fields import FATES
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Respond, Route
from loadpath.gateway.settings.upstreams import UpstreamSettings

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,58}[a-z0-9])?")
_URL = re.compile(r"(?:https?://[A-Za-z0-9.-]+(?::[0-9]+)?)?(?:/[^?#]*)?")


def name_problem(path: str, name: str) -> Iterator[Refusal]:
    """Refuse what is no name of an object."""
    if not _NAME.fullmatch(name):
        yield Refusal(
            path=path,
            why=f"{name!r} is no name of an object in Kubernetes",
            instead="use small letters, digits and `-`, a letter first, 60 at most",
        )


def refused_by_kubernetes(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give everything in settings that objects of Kubernetes cannot say."""
    yield from refusals(settings, FATES)
    for name, upstream in settings.upstreams.items():
        yield from _upstream(f"$.upstreams{step(name)}", name, upstream)
    for place, route in enumerate(settings.routes):
        yield from _route(f"$.routes[{place}]", route, settings)


def _upstream(path: str, name: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    yield from name_problem(path, name)
    for place, each in enumerate(upstream.endpoints):
        if not _is_address(Endpoint.parse(each.address).host):
            yield Refusal(
                path=f"{path}.endpoints[{place}].address",
                why="a slice holds IP addresses",
                instead="write its IP address, or a selector into the Service",
            )
    if upstream.tls is not None and not upstream.tls.server_name:
        yield Refusal(
            path=f"{path}.tls.server_name",
            why="a policy wants the name that certificates have",
            instead="write it",
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _route(path: str, route: Route, settings: GatewaySettings) -> Iterator[Refusal]:
    yield from name_problem(f"{path}.name", route.name)
    if route.rewrite.path is not None and route.match.regex is not None:
        yield Refusal(
            path=f"{path}.rewrite.path",
            why="a Gateway puts no groups into paths",
            instead="rewrite in the service",
        )
    if route.respond is not None:
        yield from _respond(f"{path}.respond", route.respond)
    totals = {settings.upstreams[each.upstream].timeouts.total for each in route.targets}
    if len(totals) > 1:
        yield Refusal(
            path=f"{path}.targets",
            why="timeouts belong to routes, not to upstreams",
            instead="make `timeouts.total` equal in all targets",
        )


def _respond(path: str, respond: Respond) -> Iterator[Refusal]:
    if respond.status not in (301, 302) or not respond.location:
        yield Refusal(
            path=f"{path}.status",
            why="a Gateway redirects with 301 and 302, and answers nothing else by itself",
            instead="use one of them, or answer in the service",
        )
    elif not _URL.fullmatch(respond.location):
        yield Refusal(
            path=f"{path}.location",
            why="a Gateway knows scheme, host, port and path of a location",
            instead="remove the rest",
        )
