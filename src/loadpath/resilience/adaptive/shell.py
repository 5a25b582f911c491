"""Bound how many calls run at once by what the dependency takes: `limit.call(…)` or `@limit`."""

from collections.abc import Awaitable, Callable

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import RejectedError
from loadpath.core.ports import Events
from loadpath.resilience.adaptive.limits import ConcurrencyLimit, Gradient
from loadpath.resilience.expiry import ran_out_of_time
from loadpath.resilience.filters import ErrorFilter, error_test
from loadpath.resilience.stage import P, Stage, T


class Overloaded(RejectedError, RuntimeError):
    """Shed a call because the dependency takes no more at once; nothing was tried.

    Attributes:
        name: The limit.
        limit: How many calls ran.
    """

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"{name}: {limit} calls run, and it takes no more now; retry later")
        self.name = name
        self.limit = limit


class LoadShed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a call was shed.

    Attributes:
        name: The limit.
        limit: How many calls ran.
    """

    name: str
    limit: int


class AdaptiveSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the figures of an adaptive limit.

    Attributes:
        name: The limit.
        limit: Calls that may run at once now.
        running: Calls that run.
        shed: Calls refused since the start.
    """

    name: str
    limit: int
    running: int
    shed: int


class AdaptiveLimit(Stage):
    """Shed calls beyond a limit that is learned from how calls end. One event loop's.

    A call that fails by one of `drops`, or is stopped at its deadline, is a drop. What fails or is
    cancelled otherwise teaches nothing: an error that comes fast is no sign of a quick dependency.

    Args:
        limit: How it learns; None for a `Gradient`.
        name: What errors, events and figures call it.
        drops: Errors by which an overloaded dependency gives a call up.
        events: Who hears `LoadShed`.
        clock: Where the monotonic time comes from.
    """

    __slots__ = ("_drops", "_events", "_limit", "_now", "_running", "_shed", "name")

    def __init__(
        self,
        limit: ConcurrencyLimit | None = None,
        *,
        name: str = "adaptive",
        drops: ErrorFilter = (TimeoutError, RejectedError),
        events: Events | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._limit = limit or Gradient()
        self.name = name
        self._drops = error_test(drops, "drops")
        self._events = events
        self._now = (clock or SystemClock()).monotonic
        self._running = self._shed = 0

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns.

        Raises:
            Overloaded: It was not tried.
        """
        if self._running >= self._limit.limit:
            raise self._overloaded()
        self._running += 1
        running, started = self._running, self._now()
        try:
            result = await function(*args, **kwargs)
            self._learn(started, running, dropped=False)
        except BaseException as error:
            if self._drops(error) or ran_out_of_time(error, self._now()):
                self._learn(started, running, dropped=True)
            raise
        finally:
            self._running -= 1
        return result

    def snapshot(self) -> AdaptiveSnapshot:
        """Return the figures of this moment."""
        return AdaptiveSnapshot(
            name=self.name, limit=self._limit.limit, running=self._running, shed=self._shed
        )

    def _learn(self, started: float, running: int, *, dropped: bool) -> None:
        now = self._now()
        self._limit.record(now - started, running, now, dropped=dropped)

    def _overloaded(self) -> Overloaded:
        self._shed += 1
        if self._events is not None:
            self._events.emit(LoadShed(name=self.name, limit=self._running))
        return Overloaded(self.name, self._running)
