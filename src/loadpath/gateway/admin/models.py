"""What the admin API tells: the figures of all workers as one. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from loadpath.gateway.orders import WorkerFigures
from loadpath.gateway.serving.figures import RouteFigures
from loadpath.upstream.snapshot import EndpointSnapshot, State

_SEVERITY: dict[State, int] = {
    "up": 0,
    "half_open": 1,
    "open": 2,
    "forced_open": 3,
    "ejected": 4,
    "down": 5,
    "drained": 6,
}
_BREAKERS = (None, "disabled", "metrics_only", "closed", "half_open", "open", "forced_open")
_FAILED = 500


class EndpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how one endpoint does, over all workers.

    Attributes:
        address: `host:port`.
        state: Why it is not called, `up` when it is; of several workers the strongest reason.
        breaker: State of its breaker, None without one; of several workers the strongest.
        reason: Why it last failed, empty when it never did.
        weight: Its weight.
        priority: 0 serves, 1 is a backup.
        zone: Where it runs.
        in_flight: Requests that it carries.
        latency: Peak-EWMA of its answers, mean over the workers (s).
        calls: Attempts that were finished.
        failures: Those of them that failed.
    """

    address: str
    state: State
    breaker: str | None
    reason: str
    weight: int
    priority: int
    zone: str
    in_flight: int
    latency: float
    calls: int
    failures: int


class UpstreamStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how one upstream does, over all workers.

    Attributes:
        name: Its name.
        policy: Who picks.
        problem: Why endpoints could not be found lately, empty when they could.
        calls: Requests that it was asked.
        repeated: Repetitions.
        failed: Requests that no answer came to.
        connections: Connections to its endpoints.
        idle: Those of them that carry nothing.
        endpoints: Its endpoints.
    """

    name: str
    policy: str
    problem: str
    calls: int
    repeated: int
    failed: int
    connections: int
    idle: int
    endpoints: list[EndpointStatus]


class RouteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how one route does.

    Attributes:
        name: Its name.
        requests: Requests that were answered.
        failed: Those answered with 500 or above.
        under_way: Requests that are not answered yet.
        mean: Mean duration (s), 0 before the first.
    """

    name: str
    requests: int
    failed: int
    under_way: int
    mean: float


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how one worker does.

    Attributes:
        number: Its number.
        pid: Its process, None while it is started again.
        state: What it does.
        restarts: How often it was started again.
        connections: Open client connections.
    """

    number: int
    pid: int | None
    state: Literal["starting", "serving", "gone"]
    restarts: int
    connections: int


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Tell everything of this moment.

    Attributes:
        settings: The settings file.
        generation: How many readings of it were taken over, 1 for the first.
        problem: Why the last change of it was refused, empty when it was not.
        draining: Whether the gateway is about to end.
        workers: Its processes.
        upstreams: Services behind it.
        routes: Which requests go where.
    """

    settings: str
    generation: int
    problem: str
    draining: bool
    workers: list[WorkerStatus]
    upstreams: list[UpstreamStatus]
    routes: list[RouteStatus]


def routes_of(told: Iterable[WorkerFigures]) -> dict[str, RouteFigures]:
    """Return what each route counted over all workers, that of no route under an empty name."""
    sums: defaultdict[str, RouteFigures] = defaultdict(RouteFigures)
    for each in told:
        sums[""].add(each.unrouted)
        for name, figures in each.routes.items():
            sums[name].add(figures)
    return dict(sums)


def route_status(name: str, figures: RouteFigures) -> RouteStatus:
    """Return a route's figures as they are told."""
    requests = sum(figures.statuses.values())
    return RouteStatus(
        name=name,
        requests=requests,
        failed=sum(n for status, n in figures.statuses.items() if status >= _FAILED),
        under_way=figures.under_way,
        mean=figures.seconds / requests if requests else 0.0,
    )


def upstream_status(name: str, policy: str, told: Sequence[WorkerFigures]) -> UpstreamStatus:
    """Return an upstream's figures over all workers."""
    found = [each.upstreams[name] for each in told if name in each.upstreams]
    by_address: defaultdict[str, list[EndpointSnapshot]] = defaultdict(list)
    for snapshot in found:
        for endpoint in snapshot.endpoints:
            by_address[endpoint.address].append(endpoint)
    return UpstreamStatus(
        name=name,
        policy=policy,
        problem=next((each.problem for each in found if each.problem), ""),
        calls=sum(each.calls for each in found),
        repeated=sum(each.repeated for each in found),
        failed=sum(each.failed for each in found),
        connections=sum(each.pool.connections for each in found),
        idle=sum(each.pool.idle for each in found),
        endpoints=[_merged(each) for each in by_address.values()],
    )


def _merged(found: Sequence[EndpointSnapshot]) -> EndpointStatus:
    worst = max(found, key=lambda each: _SEVERITY[each.state])
    known = [each.latency for each in found if each.calls]
    breakers = [each.breaker for each in found if each.breaker in _BREAKERS]
    return EndpointStatus(
        address=worst.address,
        state=worst.state,
        breaker=max(breakers, key=_BREAKERS.index, default=None),
        reason=worst.reason or next((each.reason for each in found if each.reason), ""),
        weight=worst.weight,
        priority=worst.priority,
        zone=worst.zone,
        in_flight=sum(each.in_flight for each in found),
        latency=sum(known) / len(known) if known else 0.0,
        calls=sum(each.calls for each in found),
        failures=sum(each.failures for each in found),
    )
