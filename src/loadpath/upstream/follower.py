"""Follow a resolver: every new set is swapped in while calls go on, and what is gone is let go."""

import asyncio
from contextlib import aclosing
from types import TracebackType
from typing import Self

from loadpath.balance import Balancer, EndpointSet
from loadpath.core.ports import Events
from loadpath.http import ConnectionPool
from loadpath.upstream.doors import Doors
from loadpath.upstream.errors import ResolveError
from loadpath.upstream.events import EndpointsChanged, ResolveFailed
from loadpath.upstream.resolvers.resolver import Resolver


class Follower:
    """Keep a balancer's set what a resolver says, as an async context manager.

    Entering waits for the first set.

    Args:
        name: Name of the upstream.
        resolver: Where endpoints come from.
        balancer: Whose set is swapped.
        doors: What follows the set.
        pool: Whose connections to endpoints that are gone are closed.
        events: Who hears of new sets and of problems.

    Attributes:
        problem: Why endpoints could not be resolved lately, empty when they could.
    """

    def __init__(
        self,
        name: str,
        resolver: Resolver,
        *,
        balancer: Balancer,
        doors: Doors,
        pool: ConnectionPool,
        events: Events | None,
    ) -> None:
        self._name = name
        self._resolver = resolver
        self._balancer = balancer
        self._doors = doors
        self._pool = pool
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()
        self._failure: ResolveError | None = None
        self.problem = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        try:
            await self._first_set()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _first_set(self) -> None:
        await self._looked.wait()
        if self._failure is not None:
            raise self._failure

    async def _stop(self) -> None:
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self) -> None:
        """Take over every set; what a resolver of the user's own raises is a problem too."""
        try:
            async with aclosing(self._resolver.watch()) as stream:
                async for found in stream:
                    if isinstance(found, EndpointSet):
                        self._take(found)
                    else:
                        self._complain(found)
            if not self._looked.is_set():
                self._complain(ResolveError(f"{self._name}: the resolver gave no endpoints"))
        except Exception as error:  # noqa: BLE001 - the set stays, whatever a resolver raises
            failure = ResolveError(f"{self._name}: the resolver broke: {error!r}")
            failure.__cause__ = error
            self._complain(failure)

    def _take(self, endpoints: EndpointSet) -> None:
        if endpoints == self._balancer.endpoints and len(self._doors) == len(endpoints):
            self._succeed()
            return
        try:
            gone = self._doors.follow(endpoints)
        except ValueError as error:
            self._complain(ResolveError(f"{self._name}: {error}"))
            return
        swap = self._balancer.swap(endpoints)
        for door in gone:
            if not door.attempts:
                self._pool.evict(door.origin)
        self._succeed()
        if self._events is not None:
            self._events.emit(
                EndpointsChanged(
                    upstream=self._name,
                    added=tuple(each.address for each in swap.added),
                    removed=tuple(each.address for each in swap.removed),
                    total=len(endpoints),
                )
            )

    def _succeed(self) -> None:
        self.problem = ""
        self._looked.set()

    def _complain(self, failure: ResolveError) -> None:
        if not self._looked.is_set():
            self._failure = failure
            self._looked.set()
        reason = str(failure)
        if reason == self.problem:
            return
        self.problem = reason
        if self._events is not None:
            self._events.emit(ResolveFailed(upstream=self._name, reason=reason))
