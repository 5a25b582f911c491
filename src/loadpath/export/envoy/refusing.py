"""What Envoy cannot say although it knows the field: values, and fields that go ill together."""

from collections.abc import Iterator

from loadpath.balance.endpoint import Endpoint
from loadpath.export.envoy.fields import FATES
from loadpath.export.errors import Refusal
from loadpath.export.fates import refusals, step
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Route
from loadpath.gateway.settings.upstreams import UpstreamSettings

_SLOWLY = ("round_robin", "least_connections")
_MOST_HEAD = 8_192 * 1_024


def refused_by_envoy(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give everything in settings that an Envoy cannot be told."""
    yield from refusals(settings, FATES)
    if settings.limits.head > _MOST_HEAD:
        yield Refusal(path="$.limits.head", why="Envoy takes 8 MiB at most", instead="lower it")
    for name, upstream in settings.upstreams.items():
        yield from _upstream(f"$.upstreams{step(name)}", upstream)
    for place, route in enumerate(settings.routes):
        yield from _route(f"$.routes[{place}]", route)
        yield from _split(f"$.routes[{place}].targets", route, settings)


def _upstream(path: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    if upstream.policy in ("ip_hash", "least_response_time"):
        instead = "ketama" if upstream.policy == "ip_hash" else "least_connections"
        yield Refusal(
            path=f"{path}.policy",
            why=f"Envoy has no {upstream.policy}",
            instead=f"use {instead}",
        )
    if upstream.hash.source == "path":
        yield Refusal(
            path=f"{path}.hash.source",
            why="Envoy would hash the query too",
            instead='use "client", "header" or "cookie"',
        )
    if upstream.slow_start and upstream.policy not in _SLOWLY:
        yield Refusal(
            path=f"{path}.slow_start",
            why=f"Envoy does not start slowly with {upstream.policy}",
            instead=f"use {_SLOWLY[0]} or {_SLOWLY[1]}",
        )
    if upstream.timeouts.send != upstream.timeouts.read:
        yield Refusal(
            path=f"{path}.timeouts.send",
            why="Envoy bounds silence of both sides together",
            instead="make it equal to `read`",
        )
    if upstream.tls is not None and not upstream.tls.ca:
        yield Refusal(
            path=f"{path}.tls.ca",
            why="Envoy checks names only against authorities from a file",
            instead="name it, such as /etc/ssl/certs/ca-certificates.crt",
        )
    hosts = {Endpoint.parse(each.address).host for each in upstream.endpoints}
    if upstream.tls is not None and not upstream.tls.server_name and len(hosts) != 1:
        yield Refusal(
            path=f"{path}.tls.server_name",
            why="Envoy wants one name for all endpoints",
            instead="write the name that their certificates share",
        )


def _split(path: str, route: Route, settings: GatewaySettings) -> Iterator[Refusal]:
    upstreams = [settings.upstreams[each.upstream] for each in route.targets if each.weight]
    said = [(each.timeouts, each.retries.tries, each.policy, each.hash) for each in upstreams]
    if any((each[0].read, *each[1:]) != (said[0][0].read, *said[0][1:]) for each in said) or any(
        each[0].total != said[0][0].total for each in said
    ):
        yield Refusal(
            path=path,
            why="Envoy has timeouts, retries and keys for routes, not for upstreams",
            instead="make them equal in all targets",
        )


def _route(path: str, route: Route) -> Iterator[Refusal]:
    limit = route.rate_limit
    if limit is not None and limit.key != "route":
        yield Refusal(
            path=f"{path}.rate_limit.key",
            why="Envoy counts routes, not clients",
            instead='use "route"',
        )
    if limit is not None and limit.burst != limit.limit:
        yield Refusal(
            path=f"{path}.rate_limit.burst",
            why="Envoy fills its bucket once in a period",
            instead="make it equal to `limit`",
        )
    if route.rewrite.path is not None and "\\g<" in route.rewrite.path:
        yield Refusal(
            path=f"{path}.rewrite.path",
            why="Envoy numbers groups",
            instead="write \\1 for the first",
        )
