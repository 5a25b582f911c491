"""Bound how many calls run at once: `bulkhead.call(…)`, `@bulkhead`, `async with bulkhead`."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from types import TracebackType
from typing import Self

import msgspec

from loadpath.core.errors import RejectedError
from loadpath.core.ports import Events
from loadpath.resilience.bulkhead.places import Places
from loadpath.resilience.deadline import DeadlinePassed
from loadpath.resilience.expiry import by_deadline
from loadpath.resilience.stage import P, Stage, T


class BulkheadFull(RejectedError, RuntimeError):
    """Refuse a call because too many run and too many wait; nothing was tried.

    Attributes:
        name: The bulkhead.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}; retry later, or allow more")
        self.name = name


class BulkheadRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a bulkhead refused a call.

    Attributes:
        name: The bulkhead.
        running: Calls that ran.
        waiting: Calls that waited.
    """

    name: str
    running: int
    waiting: int


class BulkheadSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a bulkhead's figures.

    Attributes:
        name: The bulkhead.
        running: Calls that run.
        waiting: Calls that wait.
        rejected: Calls refused since the start.
    """

    name: str
    running: int
    waiting: int
    rejected: int


class Bulkhead(Stage):
    """Let a bounded number of calls run, a bounded number wait in order, and refuse the rest.

    One event loop's. A call that still waits when a `Timeout` around it is over is refused: it was
    never begun, so nobody must take it for one that is in doubt.

    Args:
        places: How many may run at once.
        queue: How many may wait.
        max_wait: Longest wait for a place (s).
        name: What errors, events and figures call it.
        events: Who hears `BulkheadRejected`.
    """

    __slots__ = ("_events", "_max_wait", "_places", "_rejected", "name")

    def __init__(
        self,
        places: int,
        *,
        queue: int = 0,
        max_wait: float = inf,
        name: str = "bulkhead",
        events: Events | None = None,
    ) -> None:
        if not max_wait > 0:
            raise ValueError(f"max_wait must be above 0 s, not {max_wait}: queue=0 never waits")
        self._places = Places[asyncio.Future[None]](places, queue)
        self._max_wait = max_wait
        self.name = name
        self._events = events
        self._rejected = 0

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns.

        Raises:
            BulkheadFull: It was not tried.
            DeadlinePassed: It waited until its time was over, and was not tried.
        """
        if not self._places.take():
            await self._wait()
        try:
            return await function(*args, **kwargs)
        finally:
            self._leave()

    async def acquire(self) -> "Place":
        """Return a place that is left by hand: for a call that ends elsewhere than it begins.

        Raises:
            BulkheadFull: It must not be tried.
        """
        if not self._places.take():
            await self._wait()
        return Place(self._leave)

    async def __aenter__(self) -> Self:
        if not self._places.take():
            await self._wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def snapshot(self) -> BulkheadSnapshot:
        """Return the figures of this moment."""
        places = self._places
        return BulkheadSnapshot(
            name=self.name, running=places.taken, waiting=places.waiting, rejected=self._rejected
        )

    def _leave(self) -> None:
        while (waiter := self._places.leave()) is not None:
            if not waiter.done():
                waiter.set_result(None)
                return
            # Cancelled while it waited, and not resumed yet: the place goes on to the next one.

    async def _wait(self) -> None:
        """Wait for a place in turn."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        if not self._places.wait(waiter):
            raise self._full("no place is free and the queue is full")
        timer = None
        if self._max_wait < inf:
            timer = loop.call_later(self._max_wait, self._too_long, waiter)
        try:
            await waiter
        except BaseException as error:
            # Cancelled just after the place was given: the next one in the queue gets it.
            if not self._places.give_up(waiter) and _is_given(waiter):
                self._leave()
            if isinstance(error, asyncio.CancelledError) and by_deadline():
                self._count_rejected()
                raise DeadlinePassed from error
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _too_long(self, waiter: "asyncio.Future[None]") -> None:
        if self._places.give_up(waiter):
            waiter.set_exception(self._full(f"no place became free in {self._max_wait:g} s"))

    def _full(self, why: str) -> BulkheadFull:
        self._count_rejected()
        return BulkheadFull(self.name, why)

    def _count_rejected(self) -> None:
        self._rejected += 1
        places = self._places
        if self._events is not None:
            self._events.emit(
                BulkheadRejected(name=self.name, running=places.taken, waiting=places.waiting)
            )


class Place:
    """Hold a place of a bulkhead until it is left, exactly once; made by `Bulkhead.acquire`."""

    __slots__ = ("_leave",)

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        """Give the place back; a second time does nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


def _is_given(waiter: "asyncio.Future[None]") -> bool:
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None
