"""The figures of a balancer and its endpoints, as plain numbers."""

from typing import Literal

import msgspec

from loadpath.balance.member import Member

State = Literal["up", "down", "ejected", "drained"]


class ServerStats(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one endpoint's figures.

    Attributes:
        address: `host:port`.
        zone: Where it runs.
        priority: Level that it serves at.
        weight: Its weight.
        state: `up`, `down` (checks), `ejected` (traffic) or `drained` (operator).
        is_healthy: Whether it is up.
        ready: Whether it is handed out; also true for what panic hands out.
        active: Calls in flight.
        request_count: Calls that were finished, ever.
        failure_count: Those of them that failed.
        response_time: Peak-EWMA latency now, 0 before the first call (s).
        consecutive_failures: Failed checks in a row.
        last_health_check: Seconds since the last check ended, None before the first.
        last_failure: Why the last check failed, empty when it did not.
        ejections: How many times the base ejection the next one is longer.
    """

    address: str
    zone: str
    priority: int
    weight: int
    state: State
    is_healthy: bool
    ready: bool
    active: int
    request_count: int
    failure_count: int
    response_time: float
    consecutive_failures: int
    last_health_check: float | None
    last_failure: str
    ejections: int


class LevelStats(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one priority level's figures.

    Attributes:
        priority: Which one.
        own_zone: Whether it is the part in the balancer's own zone; None without a zone.
        endpoints: Endpoints that no operator took out.
        available: Those of them that are up.
        share: Of the traffic (0-1).
        panic: Whether all of them are handed out, available or not.
    """

    priority: int
    own_zone: bool | None
    endpoints: int
    available: int
    share: float
    panic: bool


class BalancerStats(msgspec.Struct, frozen=True, kw_only=True):
    """Tell a balancer's figures.

    Attributes:
        generation: Sets that it had, the first included.
        levels: Priority levels, the first to serve first.
        endpoints: Endpoints in the order of the set.
    """

    generation: int
    levels: tuple[LevelStats, ...]
    endpoints: tuple[ServerStats, ...]


def state_of(member: Member) -> State:
    """Return the strongest reason why a member does or does not serve."""
    if member.drained:
        return "drained"
    if not member.health.up:
        return "down"
    return "ejected" if member.track.ejected else "up"


def stats_of(member: Member, now: float) -> ServerStats:
    """Return a member's figures at `now` (monotonic s)."""
    endpoint, health = member.endpoint, member.health
    return ServerStats(
        address=endpoint.address,
        zone=endpoint.zone,
        priority=endpoint.priority,
        weight=endpoint.weight,
        state=state_of(member),
        is_healthy=member.available,
        ready=member.ready,
        active=member.active,
        request_count=member.successes + member.failures,
        failure_count=member.failures,
        response_time=member.latency.value(now),
        consecutive_failures=health.failures,
        last_health_check=None if health.checked is None else max(0.0, now - health.checked),
        last_failure=health.reason,
        ejections=member.track.ejections,
    )
