"""Hit ratios of the last minute, five minutes and hour, from counts that only grow. Pure.

The hot path counts and knows nothing of windows: now and then somebody marks how far the counts
are, and a ratio is the difference to the newest mark that is old enough.
"""

from collections import deque

import msgspec

STEP = 5.0
"""Least time between two marks (s): a window is at most this much longer than its name says."""

_HOUR = 3_600.0


class HitRatios(msgspec.Struct, frozen=True, kw_only=True):
    """Hold shares of reads that hit (0-1), None without reads.

    Attributes:
        minute: In the last minute.
        five_minutes: In the last five.
        hour: In the last hour.
    """

    minute: float | None
    five_minutes: float | None
    hour: float | None


class HitWindows:
    """Remember how far the counts of one layer were.

    Args:
        now: When counting began (monotonic s).
    """

    __slots__ = ("_marks",)

    def __init__(self, now: float) -> None:
        self._marks: deque[tuple[float, int, int]] = deque([(now, 0, 0)])

    def mark(self, now: float, hits: int, misses: int) -> None:
        """Note the counts of now; nothing when the last mark is newer than `STEP`."""
        marks = self._marks
        if now - marks[-1][0] < STEP:
            return
        marks.append((now, hits, misses))
        while len(marks) > 1 and now - marks[1][0] >= _HOUR:
            marks.popleft()

    def ratios(self, now: float, hits: int, misses: int) -> HitRatios:
        """Return the ratios up to the counts of now."""
        return HitRatios(
            minute=self._since(now - 60.0, hits, misses),
            five_minutes=self._since(now - 300.0, hits, misses),
            hour=self._since(now - _HOUR, hits, misses),
        )

    def _since(self, begin: float, hits: int, misses: int) -> float | None:
        """Return the ratio since the newest mark up to `begin`, or since the oldest."""
        _, old_hits, old_misses = next(
            (mark for mark in reversed(self._marks) if mark[0] <= begin), self._marks[0]
        )
        hits, misses = hits - old_hits, misses - old_misses
        return hits / (hits + misses) if hits + misses else None
