"""The figures of an upstream and its endpoints, as plain numbers."""

from typing import Literal

import msgspec

from loadpath.balance import Balancer, ServerStats
from loadpath.http import PoolSnapshot
from loadpath.resilience import BulkheadSnapshot
from loadpath.upstream.door import Door
from loadpath.upstream.doors import Doors

State = Literal["up", "down", "ejected", "drained", "open", "half_open", "forced_open"]

_BREAKERS: dict[str | None, State] = {
    "open": "open",
    "half_open": "half_open",
    "forced_open": "forced_open",
}


class EndpointSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one endpoint's figures.

    Attributes:
        address: `host:port`.
        state: Why it is not called, `up` when it is: `drained` (operator), `down` (checks),
            `ejected` (traffic), else what its breaker says.
        breaker: State of its breaker, None without one.
        reason: Why it last failed: the check's words when it is down, else the traffic's.
        in_flight: Calls that it carries.
        latency: Peak-EWMA of its answers, 0 before the first (s).
        calls: Attempts that were finished, ever.
        failures: Those of them that failed.
        weight: Its weight.
        priority: Level that it serves at.
        zone: Where it runs.
    """

    address: str
    state: State
    breaker: str | None
    reason: str
    in_flight: int
    latency: float
    calls: int
    failures: int
    weight: int
    priority: int
    zone: str


class UpstreamSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Tell an upstream's figures.

    Attributes:
        name: The upstream.
        generation: Sets of endpoints that it had.
        problem: Why endpoints could not be resolved lately, empty when they could.
        calls: Calls since the start.
        attempts: Attempts since the start, hedges and repetitions included.
        repeated: Repetitions since the start.
        failed: Calls that no answer came to, since the start.
        endpoints: The endpoints in the order of the set.
        bulkhead: Its bulkhead, None without one.
        pool: Its connections.
    """

    name: str
    generation: int
    problem: str
    calls: int
    attempts: int
    repeated: int
    failed: int
    endpoints: tuple[EndpointSnapshot, ...]
    bulkhead: BulkheadSnapshot | None
    pool: PoolSnapshot


def endpoint_snapshots(balancer: Balancer, doors: Doors) -> tuple[EndpointSnapshot, ...]:
    """Return every endpoint's figures."""
    stats = zip(balancer.get_server_stats(), balancer.endpoints, strict=True)
    return tuple(_one(each, doors.of(endpoint)) for each, endpoint in stats)


def _one(stats: ServerStats, door: Door) -> EndpointSnapshot:
    breaker = None if door.breaker is None else door.breaker.state
    return EndpointSnapshot(
        address=stats.address,
        state=_state(stats, breaker),
        breaker=breaker,
        reason=stats.last_failure or door.reason,
        in_flight=stats.active,
        latency=stats.response_time,
        calls=stats.request_count,
        failures=stats.failure_count,
        weight=stats.weight,
        priority=stats.priority,
        zone=stats.zone,
    )


def _state(stats: ServerStats, breaker: str | None) -> State:
    if stats.state != "up":
        return stats.state
    return _BREAKERS.get(breaker, "up")
