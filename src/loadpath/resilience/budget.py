"""How many calls may be repeated: a share of the traffic, so that retries never become the load.

In a window of the last seconds, calls earn a share of a repetition each, and a minimum rate lets a
quiet caller repeat as well. Retries and hedges may draw from one budget.

Source: Finagle's `RetryBudget` and tower's `TpsBudget`: a time window, a minimum rate, a share.
"""

from dataclasses import dataclass
from math import inf

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.rolling import TimeWindow

_CALL, _REPEAT = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPolicy:
    """Say how much may be repeated.

    Attributes:
        seconds: How far the window looks back (s).
        share: Repetitions that a call earns, 0-1 (0.2: one for every five calls).
        minimum_rate: Repetitions a second that are allowed whatever the traffic.
    """

    seconds: float = 10.0
    share: float = 0.2
    minimum_rate: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.seconds < inf:
            raise ValueError(f"seconds must be above 0 and finite, not {self.seconds}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be 0-1, not {self.share}: 20 % is 0.2")
        if not 0 <= self.minimum_rate < inf:
            raise ValueError(f"minimum_rate must be at least 0, not {self.minimum_rate}")


class BudgetSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a budget's figures.

    Attributes:
        calls: Calls in the window.
        repeats: Repetitions in the window.
        left: Whole repetitions that are left now.
        refused: Repetitions refused since the start.
    """

    calls: int
    repeats: int
    left: int
    refused: int


class RetryBudget:
    """Allow repetitions in proportion to calls. One event loop's.

    Args:
        policy: How much may be repeated.
        clock: What `snapshot` takes the monotonic time from; that of whoever repeats.
    """

    __slots__ = ("_now", "_policy", "_refused", "_window")

    def __init__(self, policy: BudgetPolicy | None = None, *, clock: Clock | None = None) -> None:
        self._policy = policy or BudgetPolicy()
        self._now = (clock or SystemClock()).monotonic
        self._window = TimeWindow(self._policy.seconds)
        self._refused = 0

    def earn(self, now: float) -> None:
        """Count a call (not its repetitions) that began at `now` (s)."""
        self._window.record(_CALL, now)

    def spend(self, now: float) -> bool:
        """Return whether a call may be repeated at `now` (s), and count the repetition if so."""
        calls, repeats = self._window.counts(now)
        if self._allowed(calls) < repeats + 1:
            self._refused += 1
            return False
        self._window.record(_REPEAT, now)
        return True

    def snapshot(self) -> BudgetSnapshot:
        """Return the figures of this moment."""
        calls, repeats = self._window.counts(self._now())
        left = max(0, int(self._allowed(calls)) - repeats)
        return BudgetSnapshot(calls=calls, repeats=repeats, left=left, refused=self._refused)

    def _allowed(self, calls: int) -> float:
        policy = self._policy
        return policy.share * calls + policy.minimum_rate * policy.seconds
