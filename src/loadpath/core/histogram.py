"""A latency histogram with fixed memory, a bounded relative error and an exact merge.

Buckets grow by one constant factor, so the middle of a bucket is within `relative_error` of every
value in it, from a microsecond to eleven days. Only counts are kept: histograms of many processes
add up to exactly the histogram of all their values.

Source: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019 (here with a fixed range in place of collapsing buckets).
"""

from bisect import bisect_left
from itertools import accumulate
from math import exp, log, nan
from operator import add

import msgspec

LOWEST = 1e-6
"""Seconds; a smaller value counts as this one."""
HIGHEST = 1e6
"""Seconds; a larger value counts as this one."""

# A hair finer than asked, so that rounding at a bucket's edge stays within the bound.
_HAIR = 1 - 1e-9
_RATIO_STEPS = 10**9


class HistogramSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the usual figures of a histogram; all but `count` are nan when it is empty.

    Attributes:
        count: Values recorded.
        mean: Mean (s).
        p50: Median (s).
        p90: 90th percentile (s).
        p99: 99th percentile (s).
        p999: 99.9th percentile (s).
        max: Largest value (s).
    """

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class _Packed(msgspec.Struct, array_like=True):
    """Hold what crosses processes: the error and the buckets that are not empty."""

    relative_error: float
    buckets: dict[int, int]


class Histogram:
    """Count durations.

    Args:
        relative_error: How far a percentile may be from the value that it stands for, 0.001-0.5.
            Memory grows with its inverse: about 1,400 buckets at 0.01.
    """

    __slots__ = ("_counts", "_offset", "_relative_error", "_scale")

    def __init__(self, relative_error: float = 0.01) -> None:
        if not 0.001 <= relative_error <= 0.5:  # noqa: PLR2004 - named in the message
            raise ValueError(f"relative_error must be 0.001-0.5, not {relative_error}")
        self._relative_error = relative_error
        error = relative_error * _HAIR
        self._scale = 1 / log((1 + error) / (1 - error))
        self._offset = -log(LOWEST) * self._scale
        self._counts = [0] * (int(log(HIGHEST) * self._scale + self._offset) + 1)

    @property
    def relative_error(self) -> float:
        """How far a percentile may be from the value that it stands for (0-1)."""
        return self._relative_error

    @property
    def count(self) -> int:
        """Values recorded."""
        return sum(self._counts)

    @property
    def mean(self) -> float:
        """Mean of the values within `relative_error` (s), nan when empty."""
        count = self.count
        if not count:
            return nan
        return sum(self._middle(i) * n for i, n in enumerate(self._counts) if n) / count

    def record(self, seconds: float, count: int = 1) -> None:
        """Count a duration `count` times.

        Raises:
            ValueError: `seconds` is negative or not a number, or `count` is below 1.
        """
        if seconds > LOWEST and count > 0:
            try:
                self._counts[int(log(seconds) * self._scale + self._offset)] += count
            except (IndexError, OverflowError):
                self._counts[-1] += count
        elif seconds >= 0 and count > 0:
            self._counts[0] += count
        else:
            raise ValueError(f"cannot count {seconds} s {count} times: seconds >= 0, count >= 1")

    def percentile(self, ratio: float) -> float:
        """Return the value that `ratio` of all values do not exceed (s), nan when empty.

        It is within `relative_error` of the value at rank `ceil(ratio * count)` of all values in
        order, as long as that one lies between `LOWEST` and `HIGHEST`. A nan compares false with
        every limit, so a verdict without values does not hold.

        Args:
            ratio: 0-1; 0.99 asks for the 99th percentile, 1 for the largest value.

        Raises:
            ValueError: `ratio` is not 0-1.
        """
        return self.percentiles(ratio)[0]

    def percentiles(self, *ratios: float) -> list[float]:
        """Return several percentiles of one moment for the cost of one.

        Raises:
            ValueError: A ratio is not 0-1.
        """
        for ratio in ratios:
            if not 0 <= ratio <= 1:
                raise ValueError(f"ratio must be 0-1, not {ratio}: the 99th percentile is 0.99")
        running = list(accumulate(self._counts))
        if not running[-1]:
            return [nan] * len(ratios)
        return [self._middle(bisect_left(running, _rank(r, running[-1]))) for r in ratios]

    def merge(self, other: "Histogram") -> None:
        """Add the values of `other`, exactly.

        Raises:
            ValueError: The two have different errors, so their buckets differ.
        """
        if other.relative_error != self._relative_error:
            raise ValueError(
                f"cannot merge relative_error {other.relative_error} into "
                f"{self._relative_error}: make both with the same"
            )
        self._counts = list(map(add, self._counts, other._counts))  # noqa: SLF001 - the same class

    def snapshot(self) -> HistogramSnapshot:
        """Return the usual figures of this moment."""
        p50, p90, p99, p999, largest = self.percentiles(0.5, 0.9, 0.99, 0.999, 1)
        return HistogramSnapshot(
            count=self.count, mean=self.mean, p50=p50, p90=p90, p99=p99, p999=p999, max=largest
        )

    def to_bytes(self) -> bytes:
        """Return the counts as MessagePack, for another process to merge."""
        buckets = {i: n for i, n in enumerate(self._counts) if n}
        return msgspec.msgpack.encode(_Packed(self._relative_error, buckets))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Histogram":
        """Return the histogram that `to_bytes` wrote.

        Raises:
            ValueError: `data` is not what `to_bytes` writes.
        """
        try:
            packed = msgspec.msgpack.decode(data, type=_Packed)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"not a histogram: {error}") from error
        histogram = cls(packed.relative_error)
        for index, count in packed.buckets.items():
            if not 0 <= index < len(histogram._counts) or count < 1:
                raise ValueError(f"not a histogram: bucket {index} counts {count}")
            histogram._counts[index] = count
        return histogram

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self._relative_error == other._relative_error and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment] # it changes, so it must not be a key

    def _middle(self, index: int) -> float:
        """Return the value whose relative distance to both edges of a bucket is the same (s)."""
        low = exp((index - self._offset) / self._scale)
        return low * (1 + self._relative_error * _HAIR)


def _rank(ratio: float, count: int) -> int:
    """Return `ceil(ratio * count)`, at least 1, in integers: 0.07 * 100 is above 7 in floats."""
    return max(1, -(-round(ratio * _RATIO_STEPS) * count // _RATIO_STEPS))
