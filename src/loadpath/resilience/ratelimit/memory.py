"""Schedules in this process's memory, bounded in keys."""

from collections import OrderedDict

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.resilience.ratelimit.gcra import NEW, Rate, admit

_SWEEP = 2
"""Old keys looked at for each new one: more leave than come, and no request pays for all."""


class MemoryRatesSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the figures of a store.

    Attributes:
        keys: Keys kept.
        forgotten: Keys dropped since the start although their schedule was ahead of the clock.
    """

    keys: int
    forgotten: int


class MemoryRates:
    """Keep schedules of at most `keys` keys; a `RateStore` of one event loop.

    A key that has rested is dropped for free, as it is the same as a new one. Where more keys are
    active at once than fit, the one that was admitted longest ago is forgotten, so its limit starts
    again: choose `keys` above the number of clients, or limit them as a whole as well.

    Args:
        keys: Most keys.
        clock: Where the monotonic time comes from.
    """

    __slots__ = ("_due", "_forgotten", "_keys", "_now")

    def __init__(self, *, keys: int = 100_000, clock: Clock | None = None) -> None:
        if keys < 1:
            raise ValueError(f"keys must be at least 1, not {keys}")
        self._due: OrderedDict[str, float] = OrderedDict()
        self._keys = keys
        self._now = (clock or SystemClock()).monotonic
        self._forgotten = 0

    async def admit(self, key: str, rate: Rate) -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early.
        """
        now, due = self._now(), self._due
        scheduled = due.get(key, NEW)
        if scheduled == NEW:
            self._make_room(now)
        due[key] = admit(rate, scheduled, now)
        due.move_to_end(key)

    def snapshot(self) -> MemoryRatesSnapshot:
        """Return the figures of this moment."""
        return MemoryRatesSnapshot(keys=len(self._due), forgotten=self._forgotten)

    def _make_room(self, now: float) -> None:
        due = self._due
        for _ in range(_SWEEP):
            if not due or due[next(iter(due))] > now:
                break
            due.popitem(last=False)
        if len(due) >= self._keys:
            due.popitem(last=False)
            self._forgotten += 1
