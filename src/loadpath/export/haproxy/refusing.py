"""What HAProxy cannot say although it knows the field: values, and fields that go ill together."""

import re
from collections.abc import Iterator
from typing import Final

from loadpath.balance.endpoint import Endpoint
from loadpath.export.errors import Refusal
from loadpath.export.fates import control_characters, refusals, step
from loadpath.export.haproxy.certificates import MOST
from loadpath.export.haproxy.fields import FATES
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Respond, Route
from loadpath.gateway.settings.upstreams import PassiveHealth, UpstreamSettings

_NAME = re.compile(r"[A-Za-z0-9_-]*")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_FIELDS: Final = 32_767
_MOST_THREADS: Final = 64


def refused_by_haproxy(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give everything in settings that an HAProxy file cannot say."""
    yield from control_characters(settings)
    yield from refusals(settings, FATES)
    yield from _client(settings)
    for place, listener in enumerate(settings.listeners):
        if len(listener.tls) > MOST:
            yield Refusal(
                path=f"$.listeners[{place}].tls",
                why=f"a line of HAProxy's names up to {MOST} certificates",
                instead="put the others on a listener of their own",
            )
    for name, upstream in settings.upstreams.items():
        yield from _upstream(f"$.upstreams{step(name)}", upstream)
    for place, route in enumerate(settings.routes):
        yield from _route(f"$.routes[{place}]", route)


def _client(settings: GatewaySettings) -> Iterator[Refusal]:
    if settings.timeouts.body != settings.timeouts.write:
        yield Refusal(
            path="$.timeouts.write",
            why="HAProxy has one bound for a client that sends or takes nothing",
            instead="make it equal to `timeouts.body`",
        )
    if settings.log.access not in ("", "-"):
        yield Refusal(
            path="$.log.access",
            why="HAProxy writes no files itself",
            instead='write "-" and let the service manager keep it',
        )
    if settings.limits.fields > _MOST_FIELDS:
        yield Refusal(
            path="$.limits.fields",
            why=f"HAProxy counts up to {_MOST_FIELDS}",
            instead="lower it",
        )


def _upstream(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    if upstream.policy in ("maglev", "least_response_time"):
        instead = "ketama" if upstream.policy == "maglev" else "least_connections"
        yield Refusal(
            path=f"{path}.policy",
            why=f"HAProxy has no {upstream.policy}",
            instead=f"use {instead}",
        )
    if not _NAME.fullmatch(upstream.hash.name):
        yield Refusal(
            path=f"{path}.hash.name",
            why=f"HAProxy cannot look for {upstream.hash.name!r}",
            instead="use letters, digits, `-` and `_`",
        )
    if upstream.timeouts.send != upstream.timeouts.read:
        yield Refusal(
            path=f"{path}.timeouts.send",
            why="HAProxy has one bound for a server that takes or sends nothing",
            instead="make it equal to `read`",
        )
    away = upstream.passive.fail_timeout
    if upstream.health is not None and away != PassiveHealth().fail_timeout:
        yield Refusal(
            path=f"{path}.passive.fail_timeout",
            why="HAProxy takes a server back when its checks succeed",
            instead="remove it; `health` says when",
        )
    yield from _tls(f"{path}.tls", upstream)


def _tls(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    if upstream.tls is None:
        return
    hosts = {Endpoint.parse(each.address).host for each in upstream.endpoints}
    name = upstream.tls.server_name or (hosts.pop() if len(hosts) == 1 else "")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", name):
        yield Refusal(
            path=f"{path}.server_name",
            why="HAProxy wants one name for all servers",
            instead="write the name that their certificates share",
        )


def _route(path: str, route: Route) -> Iterator[Refusal]:
    for name in route.match.headers:
        if not _NAME.fullmatch(name):
            yield Refusal(
                path=f"{path}.match.headers{step(name)}",
                why=f"HAProxy cannot look for {name!r}",
                instead="use letters, digits, `-` and `_`",
            )
    if route.rewrite.path is not None and "\\g<" in route.rewrite.path:
        yield Refusal(
            path=f"{path}.rewrite.path",
            why="HAProxy numbers groups",
            instead="write \\1 for the first one",
        )
    if route.rate_limit is not None:
        yield from _limit(f"{path}.rate_limit", route.rate_limit)
    if route.respond is not None:
        yield from _respond(f"{path}.respond", route.respond)


def _limit(path: str, limit: RateLimitSettings) -> Iterator[Refusal]:
    if limit.key == "principal":
        yield Refusal(
            path=f"{path}.key",
            why="HAProxy does not know who a token is for",
            instead='use "client" or "header"',
        )
    if not _NAME.fullmatch(limit.header):
        yield Refusal(
            path=f"{path}.header",
            why=f"HAProxy cannot look for {limit.header!r}",
            instead="use letters, digits, `-` and `_`",
        )
    if limit.burst != limit.limit:
        yield Refusal(
            path=f"{path}.burst",
            why="HAProxy counts what came in the last period, in bursts or not",
            instead="make it equal to `limit`",
        )


def _respond(path: str, respond: Respond) -> Iterator[Refusal]:
    redirects = respond.location != ""
    if redirects and (respond.status not in _REDIRECTS or respond.body):
        yield Refusal(
            path=f"{path}.status",
            why="HAProxy redirects with 301, 302, 303, 307 and 308, without a text",
            instead="use one of them, and no body",
        )
