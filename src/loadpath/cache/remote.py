"""The shared layer as a cache uses it: bounded in time, behind a guard, never fatal.

Whatever goes wrong is one error that the cache catches: it counts, and the cache goes on without
the layer. Invalidations that the layer missed are kept; until it has heard them it is passed by.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from loadpath.cache.deadlines import Deadlines
from loadpath.cache.recovery import Missed, Recovery
from loadpath.cache.stats import L2Stats
from loadpath.cache.store import Store
from loadpath.cache.windows import HitWindows
from loadpath.core.clock import Clock
from loadpath.core.errors import LoadpathError, RejectedError
from loadpath.core.histogram import Histogram
from loadpath.core.ports import Guard

T = TypeVar("T")

TIMED = 16
"""Of this many reads one is timed."""


class L2DownError(LoadpathError, ConnectionError):
    """Report that the shared layer could not be used; caught inside the cache."""


class Remote:
    """Ask the shared layer.

    Args:
        store: The layer.
        timeout: How long one step may take (s).
        clock: Tells monotonic time.
        recovery: Keeps what the layer missed.
        guard: Decides whether a step may be tried, such as a circuit breaker.
    """

    def __init__(
        self,
        store: Store,
        *,
        timeout: float,
        clock: Clock,
        recovery: Recovery,
        guard: Guard | None = None,
    ) -> None:
        self.store = store
        self.recovery = recovery
        self._deadlines = Deadlines(timeout)
        self._guard = guard
        self._now = clock.monotonic
        self._windows = HitWindows(clock.monotonic())
        self._latency = Histogram()
        self._reads = 0
        self.hits = 0
        self.misses = 0
        self.garbage = 0
        self.stale = 0
        self.invalid = 0
        self.failures = 0
        self.refusals = 0

    async def read(self, keys: Sequence[str]) -> "Sequence[bytes | None]":
        """Return the floor in digits and the data of each key; the shortest way to `ask`.

        Raises:
            L2DownError: It failed, took too long, or was not tried.
        """
        self._reads += 1
        if not self._reads % TIMED:
            return await self._timed(keys)
        if self.recovery or self._guard is not None:
            return await self.ask(partial(self.store.read, keys))
        deadlines = self._deadlines
        try:
            future = deadlines.watch(self.store.read(keys))
            try:
                return await future
            except CancelledError:
                deadlines.check(future)
                raise
            finally:
                deadlines.forget(future)
        except (LoadpathError, OSError) as error:
            raise self._failed(error) from error

    async def _timed(self, keys: Sequence[str]) -> "Sequence[bytes | None]":
        begun = self._now()
        data = await self.read(keys)
        self._latency.record(max(0.0, self._now() - begun))
        return data

    async def ask(self, step: Callable[[], Awaitable[T]]) -> T:
        """Return what a step comes to, unless the layer still has invalidations to hear.

        Raises:
            L2DownError: It failed, took too long, or was not tried.
        """
        if self.recovery:
            self.refusals += 1
            raise L2DownError("the shared layer has not heard every invalidation yet")
        return await self.tell(step)

    async def tell(self, step: Callable[[], Awaitable[T]]) -> T:
        """Return what a step comes to, in any case.

        Raises:
            L2DownError: It failed, took too long, or the guard refused it.
        """
        guard = self._guard
        if guard is None:
            return await self._tried(step)
        try:
            permit = guard.acquire()
        except RejectedError as error:
            self.refusals += 1
            raise L2DownError(str(error)) from error
        try:
            result = await self._tried(step)
        except L2DownError as error:
            permit.fail(error)
            raise
        except BaseException:
            permit.release()
            raise
        permit.succeed()
        return result

    async def replay(self) -> None:
        """Let the layer hear the oldest invalidation that it missed.

        Raises:
            L2DownError: It still cannot.
        """
        missed, times = self.recovery.next()
        await self.tell(lambda: self._replayed(missed))
        self.recovery.done(missed, times)

    def mark(self) -> None:
        """Note how far the counts are, for the ratios of the last minutes."""
        self._windows.mark(self._now(), self.hits, self.misses)

    def snapshot(self) -> L2Stats:
        """Return the counts of this moment."""
        return L2Stats(
            hits=self.hits,
            misses=self.misses,
            garbage=self.garbage,
            stale=self.stale,
            invalid=self.invalid,
            failures=self.failures,
            refusals=self.refusals,
            waiting=len(self.recovery),
            distrusted=bool(self.recovery),
            lately=self._windows.ratios(self._now(), self.hits, self.misses),
            latency=self._latency.snapshot(),
        )

    async def _tried(self, step: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._deadlines.within(step())
        except (LoadpathError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> L2DownError:
        self.failures += 1
        return L2DownError(f"the shared layer failed: {error}")

    async def _replayed(self, missed: Missed) -> None:
        match missed.kind:
            case "key":
                await self.store.remove([missed.name])
            case "tag":
                await self.store.invalidate_tags([missed.name])
            case "all":
                await self.store.invalidate_before(0)
