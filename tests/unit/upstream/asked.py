"""Calls that answer what a test tells them to, without any network."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from random import Random

from loadpath.balance import Balancer, EndpointSet
from loadpath.core.backoff import Backoff
from loadpath.core.ports import Events
from loadpath.http import ConnectionPool
from loadpath.resilience import BreakerPolicy, Hedge, RetryBudget, RetryPolicy
from loadpath.testing import FakeClock
from loadpath.upstream.call import Call
from loadpath.upstream.dispatch import Dispatch
from loadpath.upstream.door import Door
from loadpath.upstream.doors import Doors

SOON = RetryPolicy(tries=3, backoff=Backoff(base=1e-6, cap=1e-6))


class Head:
    """Be the head of an answer."""

    def __init__(self, status: int = 200, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        self.closed = False

    def close(self) -> None:
        """Note it."""
        self.closed = True


Says = Callable[[Door], Awaitable[Head] | Head | Exception]


class Asking(Call[Head]):
    """Ask a function."""

    def __init__(self, says: Says, *, repeatable: bool = True, deadline: float = inf) -> None:
        super().__init__(repeatable=repeatable, deadline=deadline)
        self.says = says
        self.asked: list[str] = []

    async def carry(self, door: Door, remaining: float) -> Head:
        """Answer as the function says."""
        del remaining
        self.asked.append(door.address)
        said = self.says(door)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Head) else await said

    def retry_after(self, answer: Head) -> float | None:
        """Return what it was made with."""
        return answer.retry_after


class Rig:
    """Hold a dispatch and its parts, on a clock that stands still."""

    def __init__(
        self,
        *addresses: str,
        retry: RetryPolicy = SOON,
        budget: RetryBudget | None = None,
        hedge: Hedge | None = None,
        breaker: BreakerPolicy | None = None,
        events: Events | None = None,
        balancer: Balancer | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.balancer = balancer or Balancer(clock=self.clock, random=Random(1))
        self.doors = Doors(breaker=breaker, tls=False, server_name=None, events=events)
        self.pool = ConnectionPool()
        self.take(*addresses)
        self.dispatch = Dispatch(
            "orders",
            balancer=self.balancer,
            doors=self.doors,
            pool=self.pool,
            retry=retry,
            budget=budget,
            hedge=hedge,
            events=events,
            clock=self.clock,
            random=Random(2),
        )

    def take(self, *addresses: str) -> None:
        """Swap the set."""
        self.balancer.swap(addresses)
        self.doors.follow(EndpointSet(addresses))

    def in_flight(self) -> int:
        """Return how many picks are held."""
        return sum(each.active for each in self.balancer.get_server_stats())


def forever() -> Awaitable[Head]:
    """Never answer."""

    async def wait() -> Head:
        await asyncio.Event().wait()
        return Head()

    return wait()


class Heard:
    """Keep events."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def emit(self, event: object) -> None:
        """Keep one."""
        self.events.append(event)
