"""An attempt is settled exactly once, whatever is told after that."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import Balancer, EndpointSet
from loadpath.http import BodyLostError, ConnectionPool, PoolFullError, ResponseLostError
from loadpath.resilience import BreakerPolicy, Deadline
from loadpath.testing import FakeClock
from loadpath.upstream.attempt import Attempt
from loadpath.upstream.doors import Doors

A = "10.0.0.1:80"
ENDS: dict[str, Callable[[Attempt], None]] = {
    "answered": lambda attempt: attempt.answered(),
    "lost": lambda attempt: attempt.failed(ResponseLostError("x")),
    "broken": lambda attempt: attempt.failed(BodyLostError("x")),
    "ours": lambda attempt: attempt.failed(PoolFullError("x")),
    "cancelled": lambda attempt: attempt.failed(asyncio.CancelledError()),
}


class Rig:
    """Hold one attempt and what it touches."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.balancer = Balancer([A], clock=self.clock)
        policy = BreakerPolicy(minimum_calls=1, slow_after=5.0, slow_rate=0.5)
        self.doors = Doors(breaker=policy, tls=False, server_name=None, events=None)
        self.doors.follow(EndpointSet([A]))
        door = self.doors[A]
        assert door.breaker is not None
        self.breaker = door.breaker
        ticket = door.breaker.enter(self.clock.monotonic())
        pick = self.balancer.pick()
        self.attempt = Attempt(door, pick, ticket, clock=self.clock, pool=ConnectionPool())

    def counted(self) -> tuple[int, int, int, int]:
        """Return in flight, attempts under way, requests and calls of the breaker."""
        stats = self.balancer.get_server_stats()[0]
        calls = self.breaker.snapshot(self.clock.monotonic()).calls
        return stats.active, self.doors[A].attempts, stats.request_count, calls


@given(ends=st.lists(st.sampled_from(sorted(ENDS)), min_size=1, max_size=5))
def test_the_first_end_counts(ends: list[str]) -> None:
    """However often and however it is settled, everything is given back and counted once."""
    rig = Rig()
    assert rig.counted() == (1, 1, 0, 0)
    rig.attempt.head(200)
    for end in ends:
        ENDS[end](rig.attempt)
    counts = ends[0] not in {"ours", "cancelled"}
    assert rig.counted() == (0, 0, counts, counts)


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_the_status_says_how_it_went(status: int) -> None:
    """From 500 on the endpoint failed, for the balancer as for the breaker."""
    rig = Rig()
    rig.attempt.head(status)
    rig.attempt.answered()
    failed = int(status >= 500)
    assert rig.balancer.get_server_stats()[0].failure_count == failed
    assert rig.breaker.snapshot(0.0).failed == failed
    assert rig.doors[A].reason == (f"answered {status}" if failed else "")


def test_the_latency_ends_with_the_head() -> None:
    """A body that its reader takes an hour over makes no endpoint slow."""
    rig = Rig()
    rig.clock.advance(0.5)
    rig.attempt.head(200)
    rig.clock.advance(3600.0)
    rig.attempt.answered()
    assert rig.balancer.get_server_stats()[0].response_time == pytest.approx(0.5)
    assert rig.breaker.snapshot(rig.clock.monotonic()).slow == 0


def test_one_that_is_given_up_late_was_slow() -> None:
    """A caller that leaves after the breaker's `slow_after` says so much about the endpoint."""
    rig = Rig()
    rig.clock.advance(5.0)
    rig.attempt.failed(asyncio.CancelledError())
    assert rig.counted() == (0, 0, 0, 1)
    assert rig.breaker.state == "open"


def test_a_cancellation_at_the_deadline_blames_the_endpoint() -> None:
    """It is how a caller's timeout looks from inside: no answer in time."""
    rig = Rig()
    with Deadline(rig.clock.monotonic()).applied():
        rig.attempt.failed(asyncio.CancelledError())
    assert rig.balancer.get_server_stats()[0].failure_count == 1
    assert "deadline" in rig.doors[A].reason
