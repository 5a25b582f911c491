"""What happened lately: outcomes counted over the last N records or the last N seconds.

An outcome is a small number that the owner chooses (0 succeeded, 1 failed; or bits, 2 slow, 3 slow
and failed). A record is O(1), a window never grows, and the counts are kept, not summed up anew.

Source: resilience4j's count-based and time-based sliding windows.
"""


class CountWindow:
    """Count the outcomes of the last `size` records.

    Args:
        size: Records that the window holds.
        outcomes: How many different outcomes there are, at most 256.
    """

    __slots__ = ("_counts", "_full", "_next", "_ring")

    def __init__(self, size: int, *, outcomes: int = 2) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        if not 1 <= outcomes <= 256:  # noqa: PLR2004 - an outcome is a byte of the ring
            raise ValueError(f"outcomes must be 1-256, not {outcomes}")
        self._ring = bytearray(size)
        self._counts = [0] * outcomes
        self._next = 0
        self._full = False

    def record(self, outcome: int) -> None:
        """Count an outcome; the oldest record leaves a full window.

        Raises:
            ValueError: There is no such outcome.
        """
        counts = self._counts
        if not 0 <= outcome < len(counts):
            raise _no_such(outcome, len(counts))
        ring, place = self._ring, self._next
        if self._full:
            counts[ring[place]] -= 1
        ring[place] = outcome
        counts[outcome] += 1
        place += 1
        if place == len(ring):
            self._full = True
            place = 0
        self._next = place

    def counts(self) -> tuple[int, ...]:
        """Return how many records of each outcome the window holds."""
        return tuple(self._counts)

    def clear(self) -> None:
        """Forget every record."""
        self._counts = [0] * len(self._counts)
        self._next = 0
        self._full = False


class TimeWindow:
    """Count the outcomes of the last `seconds`.

    Time is cut into buckets and leaves bucket by bucket, so the window spans at most `seconds` and
    at least one bucket less. A clock that jumps forwards empties it. One that steps back goes on
    counting in the newest bucket; if it stepped back by more than the window, the records are of
    unknown age and the window starts again.

    Args:
        seconds: How far the window looks back (s).
        buckets: Parts that it is cut into; more are finer and cost memory.
        outcomes: How many different outcomes there are.
    """

    __slots__ = ("_bucket", "_buckets", "_counts", "_end", "_index", "_start", "_width")

    def __init__(self, seconds: float, *, buckets: int = 10, outcomes: int = 2) -> None:
        if not 0 < seconds < float("inf"):
            raise ValueError(f"seconds must be above 0 and finite, not {seconds}")
        if buckets < 1 or outcomes < 1:
            raise ValueError(f"buckets and outcomes must be at least 1, not {buckets}, {outcomes}")
        self._width = seconds / buckets
        self._buckets = [[0] * outcomes for _ in range(buckets)]
        self._counts = [0] * outcomes
        self._index = 0
        self._bucket = self._buckets[0]
        self._start = 0.0
        self._end = self._width

    def record(self, outcome: int, now: float, *, count: int = 1) -> None:
        """Count an outcome.

        Args:
            outcome: Which one.
            now: When (s); the same clock for every call.
            count: How many of it.

        Raises:
            ValueError: There is no such outcome, or `count` is negative.
        """
        if outcome < 0:
            raise _no_such(outcome, len(self._counts))
        if count < 0:
            raise ValueError(f"count must be at least 0, not {count}")
        if not self._start <= now < self._end:
            self._turn(now)
        try:
            self._bucket[outcome] += count
            self._counts[outcome] += count
        except IndexError:
            raise _no_such(outcome, len(self._counts)) from None

    def counts(self, now: float) -> tuple[int, ...]:
        """Return how many records of each outcome the window holds at `now` (s)."""
        if not self._start <= now < self._end:
            self._turn(now)
        return tuple(self._counts)

    def clear(self) -> None:
        """Forget every record."""
        for bucket in self._buckets:
            self._empty(bucket)

    def _turn(self, now: float) -> None:
        """Move to the bucket of `now`, emptying those that time has passed over."""
        width, size = self._width, len(self._buckets)
        steps = int((now - self._start) // width)
        if -size <= steps <= 0:
            return
        if steps < 0:
            self.clear()
        for _ in range(min(steps, size)):
            self._index = (self._index + 1) % size
            self._bucket = self._buckets[self._index]
            self._empty(self._bucket)
        start = now // width * width
        if start + width <= now:  # the division was rounded down
            start += width
        self._start = start
        self._end = start + width

    def _empty(self, bucket: list[int]) -> None:
        for outcome, count in enumerate(bucket):
            self._counts[outcome] -= count
            bucket[outcome] = 0


def _no_such(outcome: int, outcomes: int) -> ValueError:
    return ValueError(f"outcome must be 0-{outcomes - 1}, not {outcome}")
