"""What an ALB cannot say although it knows the field: values out of its ranges."""

from collections.abc import Iterator

from loadpath.balance.endpoint import Endpoint
from loadpath.export.aws.fields import FATES
from loadpath.export.errors import Refusal
from loadpath.export.fates import refusals, step
from loadpath.export.kubernetes.refusing import name_problem
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Respond, Route
from loadpath.gateway.settings.upstreams import HealthCheck, UpstreamSettings

_POLICIES = ("round_robin", "least_connections")
_RESERVED = ("AWSALB", "AWSALBAPP", "AWSALBTG")
_LARGEST_WEIGHT = 999
_LONGEST_BODY = 1_024


def refused_by_aws(settings: GatewaySettings) -> Iterator[Refusal]:
    """Give everything in settings that an ALB cannot be told."""
    yield from refusals(settings, FATES)
    yield from _whole("$.timeouts.idle", settings.timeouts.idle, 1, 4_000)
    yield from _whole("$.timeouts.drain", settings.timeouts.drain, 0, 3_600)
    for name, upstream in settings.upstreams.items():
        yield from _upstream(f"$.upstreams{step(name)}", name, upstream)
    for place, route in enumerate(settings.routes):
        yield from _route(f"$.routes[{place}]", route)


def _whole(path: str, value: float, least: int, most: int) -> Iterator[Refusal]:
    if value != int(value) or not least <= value <= most:
        yield Refusal(
            path=path,
            why=f"an ALB takes whole numbers from {least} to {most}",
            instead="choose one of them",
        )


def _upstream(path: str, name: str, upstream: UpstreamSettings) -> Iterator[Refusal]:
    yield from name_problem(path, name)
    if upstream.policy not in _POLICIES:
        yield Refusal(
            path=f"{path}.policy",
            why=f"an ALB has no {upstream.policy}",
            instead=f"use {_POLICIES[0]} or {_POLICIES[1]}",
        )
    if len({Endpoint.parse(each.address).port for each in upstream.endpoints}) > 1:
        yield Refusal(
            path=f"{path}.endpoints",
            why="the pods of a Service share one port",
            instead="make upstreams of the ports",
        )
    if upstream.slow_start:
        yield from _whole(f"{path}.slow_start", upstream.slow_start, 30, 900)
        if upstream.policy != _POLICIES[0]:
            yield Refusal(
                path=f"{path}.slow_start",
                why=f"an ALB does not start slowly with {upstream.policy}",
                instead=f"use {_POLICIES[0]}",
            )
    if upstream.health is not None:
        yield from _health(f"{path}.health", upstream.health)
    sticky = upstream.sticky
    if sticky is not None:
        yield from _whole(f"{path}.sticky.max_age", sticky.max_age, 1, 604_800)
        if sticky.cookie.startswith(_RESERVED):
            yield Refusal(
                path=f"{path}.sticky.cookie", why="the name is AWS's own", instead="use another"
            )


def _health(path: str, health: HealthCheck) -> Iterator[Refusal]:
    yield from _whole(f"{path}.interval", health.interval, 5, 300)
    yield from _whole(f"{path}.timeout", health.timeout, 2, 120)
    yield from _whole(f"{path}.fall", health.fall, 2, 10)
    yield from _whole(f"{path}.rise", health.rise, 2, 10)
    if not all(200 <= each <= 499 for each in health.status):  # noqa: PLR2004 - what it takes
        yield Refusal(
            path=f"{path}.status", why="an ALB takes 200 to 499", instead="choose among them"
        )


def _route(path: str, route: Route) -> Iterator[Refusal]:
    yield from name_problem(f"{path}.name", route.name)
    written = route.match.exact or route.match.prefix or ""
    if "*" in written:
        yield Refusal(
            path=f"{path}.match", why="an ALB takes `*` for any text", instead="match without it"
        )
    for name, value in route.match.headers.items():
        if value != "*" and {"*", "?", "\\"} & set(value):
            yield Refusal(
                path=f"{path}.match.headers{step(name)}",
                why="an ALB takes `*` and `?` for any text",
                instead="match without them",
            )
    for place, each in enumerate(route.targets):
        if each.weight > _LARGEST_WEIGHT:
            yield Refusal(
                path=f"{path}.targets[{place}].weight",
                why=f"an ALB weighs up to {_LARGEST_WEIGHT}",
                instead="lower all weights",
            )
    if route.respond is not None:
        yield from _respond(f"{path}.respond", route.respond)


def _respond(path: str, respond: Respond) -> Iterator[Refusal]:
    redirects = respond.status in (301, 302)
    if redirects is not bool(respond.location) or (
        300 <= respond.status < 400 and not redirects  # noqa: PLR2004 - redirects
    ):
        yield Refusal(
            path=f"{path}.status",
            why="an ALB redirects with 301 and 302",
            instead="use one of them with a location, 2xx, 4xx or 5xx without",
        )
    if len(respond.body) > _LONGEST_BODY or (respond.location and respond.body):
        yield Refusal(
            path=f"{path}.body",
            why=f"an ALB says {_LONGEST_BODY} characters, and nothing with a redirect",
            instead="shorten it",
        )
