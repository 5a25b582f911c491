"""Bound how long a call may take: `await timeout.call(…)`, `@timeout`, `async with … scope()`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Token
from math import inf
from types import TracebackType
from typing import Any, Self

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import InDoubtError
from loadpath.core.ports import Events
from loadpath.resilience.deadline import DeadlinePassed, apply, current_at, withdraw
from loadpath.resilience.expiry import unwatch, watch
from loadpath.resilience.stage import P, Stage, T


class TimedOut(InDoubtError, TimeoutError):
    """Report a call that was stopped because its time was over: it may have had effects.

    Attributes:
        seconds: How long it was allowed to take (s).
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"no answer in {seconds:.3f} s: it may or may not have happened; ask, or repeat it "
            "only if it may happen twice"
        )
        self.seconds = seconds


class CallTimedOut(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a call was stopped because its time was over.

    Attributes:
        name: The timeout.
        seconds: How long it was allowed to take (s).
    """

    name: str
    seconds: float


class TimeoutSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        name: The timeout.
        calls: Calls.
        timed_out: Calls that were stopped.
        refused: Calls that were not begun, because no time was left.
    """

    name: str
    calls: int
    timed_out: int
    refused: int


class Timeout(Stage):
    """Stop a call after `seconds`, or earlier when a deadline around it is earlier.

    What it calls knows the time that is left as `Deadline.current()`.

    Args:
        seconds: Longest time (s).
        name: What events and figures call it.
        events: Who hears `CallTimedOut`.
        clock: Where the monotonic time comes from.
    """

    __slots__ = ("_calls", "_events", "_now", "_refused", "_timed_out", "name", "seconds")

    def __init__(
        self,
        seconds: float,
        *,
        name: str = "timeout",
        events: Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < seconds < inf:
            raise ValueError(f"seconds must be above 0 and finite, not {seconds}")
        self.seconds = seconds
        self.name = name
        self._events = events
        self._now = (clock or SystemClock()).monotonic
        self._calls = self._timed_out = self._refused = 0

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns.

        Raises:
            TimedOut: It took too long and was stopped.
            DeadlinePassed: No time was left, and it was not begun.
        """
        async with TimeoutScope(self):
            return await function(*args, **kwargs)

    def scope(self) -> "TimeoutScope":
        """Bound the block of one `async with`; each block needs a scope of its own.

        Raises:
            TimedOut: On leaving; the block took too long and was stopped.
            DeadlinePassed: On entering; no time was left.
        """
        return TimeoutScope(self)

    def snapshot(self) -> TimeoutSnapshot:
        """Return the figures of this moment."""
        return TimeoutSnapshot(
            name=self.name, calls=self._calls, timed_out=self._timed_out, refused=self._refused
        )

    def _begin(self) -> tuple[float, float]:
        """Count a call; return the seconds that it has, and the moment when they are over."""
        self._calls += 1
        now = self._now()
        left = min(self.seconds, current_at() - now)
        if left <= 0:
            self._refused += 1
            raise DeadlinePassed
        return left, now + left

    def _expired(self, seconds: float) -> TimedOut:
        self._timed_out += 1
        if self._events is not None:
            self._events.emit(CallTimedOut(name=self.name, seconds=seconds))
        return TimedOut(seconds)


class TimeoutScope:
    """Bound one block; made by `Timeout.scope`."""

    __slots__ = ("_before", "_seconds", "_task", "_timeout", "_timer", "_token", "_watched")

    def __init__(self, timeout: Timeout) -> None:
        self._timeout = timeout
        self._timer: asyncio.Timeout
        self._token: Token[float]
        self._watched: Token[Callable[[], bool]]
        self._task: asyncio.Task[Any] | None
        self._before: int
        self._seconds = 0.0

    async def __aenter__(self) -> Self:
        self._seconds, at = self._timeout._begin()  # noqa: SLF001 - its own part
        self._token = apply(at)
        self._timer = asyncio.timeout(self._seconds)
        await self._timer.__aenter__()
        self._task = task = asyncio.current_task()
        self._before = 0 if task is None else task.cancelling()
        self._watched = watch(self._is_cause)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        unwatch(self._watched)
        withdraw(self._token)
        try:
            await self._timer.__aexit__(kind, error, trace)
        except TimeoutError:
            raise self._timeout._expired(self._seconds) from error  # noqa: SLF001 - its own part

    def _is_cause(self) -> bool:
        """Return whether this timeout cancelled the running task, and nobody else did."""
        task = asyncio.current_task()
        if task is None or task is not self._task or not self._timer.expired():
            return False
        return task.cancelling() == self._before + 1
