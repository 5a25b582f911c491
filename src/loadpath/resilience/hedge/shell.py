"""Ask once more when an answer is late, and take the first: `await hedge.call(…)` or `@hedge`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from math import inf
from typing import Any

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.ports import Events
from loadpath.resilience.budget import RetryBudget
from loadpath.resilience.hedge.delay import (
    FixedDelay,
    HedgeDelay,
    LatencyPercentile,
    PercentileDelay,
)
from loadpath.resilience.stage import P, Stage, T

Start = Callable[[], "asyncio.Task[Any]"]
Discard = Callable[[Any], Awaitable[object] | None]


def close(result: Any) -> Awaitable[object] | None:
    """Close what a call returned, where that can be closed: by its `aclose`, else its `close`."""
    closing = getattr(result, "aclose", None) or getattr(result, "close", None)
    ended: Awaitable[object] | None = closing() if callable(closing) else None
    return ended if isawaitable(ended) else None


class Hedged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a call is sent once more.

    Attributes:
        name: The hedge.
        sent: How often it is sent now.
        after: Seconds that were waited for an answer.
    """

    name: str
    sent: int
    after: float


class HedgeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a hedge's figures.

    Attributes:
        name: The hedge.
        calls: Calls since the start.
        hedged: Further calls sent since the start.
        won: Calls that a further one answered first.
        delay: Present wait before sending once more (s), infinite for none.
    """

    name: str
    calls: int
    hedged: int
    won: int
    delay: float


class Hedge(Stage):
    """Send a call once more when it is late; the first success wins, the others are cancelled.

    For calls that may happen twice only. A call that fails while none is late is no business of a
    hedge: the error is raised at once. When all fail, the error of the first is raised.

    Args:
        delay: Wait before each further call (s), or the percentile of the latency that it is.
        name: What events and figures call it.
        calls: Most calls under way for one, the first included.
        budget: Share of all calls that may be sent again, perhaps together with retries.
        discard: What becomes of a result that came too late; by default it is closed, where it has
            an `aclose` or a `close`.
        events: Who hears `Hedged`.
        clock: Where the monotonic time comes from.
    """

    __slots__ = (
        "_budget",
        "_calls",
        "_count",
        "_delay",
        "_discard",
        "_events",
        "_hedged",
        "_now",
        "_won",
        "name",
    )

    def __init__(
        self,
        delay: float | LatencyPercentile,
        *,
        name: str = "hedge",
        calls: int = 2,
        budget: RetryBudget | None = None,
        discard: Discard = close,
        events: Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        if calls < 2:  # noqa: PLR2004 - named in the message
            raise ValueError(f"calls must be at least 2, the first included: {calls}")
        self._delay: HedgeDelay = (
            PercentileDelay(delay) if isinstance(delay, LatencyPercentile) else FixedDelay(delay)
        )
        self.name = name
        self._calls = calls
        self._budget = budget
        self._discard = discard
        self._events = events
        self._now = (clock or SystemClock()).monotonic
        self._count = self._hedged = self._won = 0

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what the first successful `function(*args, **kwargs)` returns.

        Raises:
            Exception: What the first of them raised, when none succeeded.
        """

        async def run() -> T:
            return await function(*args, **kwargs)

        def start() -> "asyncio.Task[T]":
            return asyncio.create_task(run())

        started = self._now()
        self._count += 1
        if self._budget is not None:
            self._budget.earn(started)
        tasks, winner = [start()], None
        try:
            winner = await self._race(tasks, start)
            self._learn(tasks, winner, started)
            return winner.result()
        finally:
            await self._end(tasks, winner)

    def snapshot(self) -> HedgeSnapshot:
        """Return the figures of this moment."""
        return HedgeSnapshot(
            name=self.name,
            calls=self._count,
            hedged=self._hedged,
            won=self._won,
            delay=self._delay.delay(self._now()),
        )

    async def _race(self, tasks: "list[asyncio.Task[T]]", start: Start) -> "asyncio.Task[T]":
        """Return the first task that succeeds, the first of all when none does."""
        more = self._calls - 1
        while True:
            delay = self._delay.delay(self._now()) if more else inf
            under_way = [task for task in tasks if not task.done()]
            done, _ = await asyncio.wait(
                under_way,
                timeout=None if delay == inf else delay,
                return_when=asyncio.FIRST_COMPLETED,
            )
            won = [task for task in tasks if task in done and _succeeded(task)]
            if won or len(done) == len(under_way):
                return won[0] if won else tasks[0]
            if done:
                continue
            if self._may_send(len(tasks) + 1, delay):
                tasks.append(start())
                more -= 1
            else:
                more = 0

    async def _end(
        self, tasks: "Sequence[asyncio.Task[T]]", winner: "asyncio.Task[T] | None"
    ) -> None:
        """Leave nothing behind but the winner's result, and not that when nobody takes it."""
        for task in tasks:
            task.cancel()
        cancelled = await _ended(tasks)
        gone: list[T] = []
        while late := _late(tasks, None if cancelled else winner, gone):
            gone += late
            discarding = asyncio.create_task(self._discard_all(late))
            cancelled = await _ended([discarding]) or cancelled
        if cancelled is not None:
            raise cancelled

    async def _discard_all(self, results: Sequence[Any]) -> None:
        """Let go of results; what fails at that is told to the loop."""
        for result in results:
            try:
                if (ended := self._discard(result)) is not None:
                    await ended
            except Exception as error:  # noqa: BLE001 - a user's own function, told to the loop
                message = f"{self.name}: a late result could not be discarded"
                asyncio.get_running_loop().call_exception_handler(
                    {"message": message, "exception": error}
                )

    def _may_send(self, sent: int, after: float) -> bool:
        """Return whether one more call may be sent, and count it if so."""
        if self._budget is not None and not self._budget.spend(self._now()):
            return False
        self._hedged += 1
        if self._events is not None:
            self._events.emit(Hedged(name=self.name, sent=sent, after=after))
        return True

    def _learn(
        self, tasks: "Sequence[asyncio.Task[T]]", winner: "asyncio.Task[T]", started: float
    ) -> None:
        """Remember how long the first call took; one that was overtaken took at least so long."""
        first, now = tasks[0], self._now()
        if _succeeded(winner):
            self._won += winner is not first
            if winner is first or not first.done():
                self._delay.record(now - started, now)


def _succeeded(task: "asyncio.Task[Any]") -> bool:
    return not task.cancelled() and task.exception() is None


def _late(
    tasks: "Sequence[asyncio.Task[T]]", winner: "asyncio.Task[T] | None", gone: Sequence[T]
) -> list[T]:
    """Return the results beside the winner's that are there still; errors are seen by this."""
    kept = list(gone)
    if winner is not None and _succeeded(winner):
        kept.append(winner.result())
    late: list[T] = []
    for task in tasks:
        if _succeeded(task) and not any(task.result() is each for each in [*kept, *late]):
            late.append(task.result())
    return late


async def _ended(tasks: "Sequence[asyncio.Task[Any]]") -> asyncio.CancelledError | None:
    """Wait until all have ended, however often we are cancelled; return that, if we were."""
    cancelled = None
    while under_way := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(under_way)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
