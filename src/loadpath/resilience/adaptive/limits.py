"""How many calls at once a dependency can take, learned from how it answers. Pure.

A fixed limit is right for one day only. `Gradient` compares how long calls take now with how long
they take when nothing queues: as soon as they queue somewhere, it takes calls away. `Aimd` grows by
one per round of answers and shrinks by a share when a call is dropped or late, as TCP does.

Source: Netflix's concurrency-limits (`GradientLimit`, `AIMDLimit`); Envoy's adaptive concurrency
filter, whose measurement keeps a standing queue from passing for slow work; V. Jacobson,
"Congestion Avoidance and Control", SIGCOMM 1988.
"""

from math import inf, sqrt
from statistics import fmean, median
from typing import Protocol

_STEEPEST_DOWN, _STEEPEST_UP = 0.5, 2.0
_SHORTEST_ROUND = 10


class ConcurrencyLimit(Protocol):
    """Learn how many calls may run at once."""

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        ...

    def record(self, latency: float, running: int, now: float, *, dropped: bool) -> None:
        """Learn from a call that ended.

        Args:
            latency: How long it took (s).
            running: Calls that ran when it began, itself included.
            now: When it ended (monotonic s).
            dropped: Whether it was given up, or refused by an overloaded dependency.
        """
        ...


class Aimd:
    """Grow by one per round of answers, shrink by a share on a drop.

    Args:
        initial: Limit to begin with.
        minimum: Smallest limit.
        maximum: Largest limit.
        shrink: What a drop multiplies the limit by, 0.5 up to below 1.
        late_after: A call that takes longer counts as dropped (s).
    """

    __slots__ = ("_late_after", "_limit", "_maximum", "_minimum", "_shrink")

    def __init__(
        self,
        *,
        initial: int = 20,
        minimum: int = 1,
        maximum: int = 1_000,
        shrink: float = 0.9,
        late_after: float = inf,
    ) -> None:
        _check(initial, minimum, maximum)
        if not 0.5 <= shrink < 1:  # noqa: PLR2004 - named in the message
            raise ValueError(f"shrink must be 0.5 up to below 1, not {shrink}")
        if not late_after > 0:
            raise ValueError(f"late_after must be above 0 s, not {late_after}")
        self._limit = float(initial)
        self._minimum, self._maximum = minimum, maximum
        self._shrink = shrink
        self._late_after = late_after

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        return int(self._limit)

    def record(self, latency: float, running: int, now: float, *, dropped: bool) -> None:  # noqa: ARG002 - the port's
        """Learn from a call that ended; a limit that is not used teaches nothing about more."""
        limit = self._limit
        if dropped or latency > self._late_after:
            limit *= self._shrink
        elif 2 * running >= limit:
            limit += 1 / limit
        self._limit = min(max(limit, self._minimum), self._maximum)


class Gradient:
    """Follow the ratio of the latency without a queue to the present latency.

    The former is measured again and again, by letting only `minimum` calls in for a moment; it
    cannot be learned otherwise, because a queue that is always there looks like slow work.

    Args:
        minimum: Smallest limit; also that of a measurement, and the first one.
        maximum: Largest limit.
        tolerance: How much slower than without a queue is still fine (0.25: by a quarter).
        measure_every: Seconds between two measurements.
        measure_calls: Calls of one measurement.
    """

    __slots__ = (
        "_base",
        "_dropped",
        "_latencies",
        "_limit",
        "_maximum",
        "_measure_at",
        "_measure_calls",
        "_measure_every",
        "_measured",
        "_minimum",
        "_most",
        "_tolerance",
    )

    def __init__(
        self,
        *,
        minimum: int = 3,
        maximum: int = 1_000,
        tolerance: float = 0.25,
        measure_every: float = 60.0,
        measure_calls: int = 25,
    ) -> None:
        _check(minimum, minimum, maximum)
        if not 0 < tolerance < inf:
            raise ValueError(f"tolerance must be above 0 and finite, not {tolerance}")
        if not 0 < measure_every < inf or measure_calls < 1:
            raise ValueError(
                "measure_every must be above 0 s and finite, measure_calls at least 1, not "
                f"{measure_every}, {measure_calls}"
            )
        self._limit = float(minimum)
        self._minimum, self._maximum = minimum, maximum
        self._tolerance = tolerance
        self._measure_every, self._measure_calls = measure_every, measure_calls
        self._base = 0.0
        self._measured: list[float] | None = []
        self._measure_at = -inf
        self._latencies: list[float] = []
        self._dropped = self._most = 0

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        return self._minimum if self._measured is not None else int(self._limit)

    def record(self, latency: float, running: int, now: float, *, dropped: bool) -> None:
        """Learn from a call that ended."""
        if self._measured is not None:
            if not dropped and running <= self._minimum:
                self._measure(self._measured, latency, now)
            return
        self._latencies.append(latency)
        self._dropped += dropped
        self._most = max(self._most, running)
        if len(self._latencies) >= max(_SHORTEST_ROUND, self._limit):
            self._end_round()
        if not self._measure_at - self._measure_every <= now < self._measure_at:
            self._measured = []

    def _measure(self, measured: list[float], latency: float, now: float) -> None:
        measured.append(latency)
        if len(measured) == self._measure_calls:
            self._base = median(measured)
            self._measured = None
            self._measure_at = now + self._measure_every

    def _end_round(self) -> None:
        """Move the limit after as many answers as it lets in at once."""
        limit, present = self._limit, fmean(self._latencies)
        quick = self._base * (1 + self._tolerance)
        gradient = quick / present if present > quick / _STEEPEST_UP else _STEEPEST_UP
        if self._dropped:
            share = self._dropped / len(self._latencies)
            limit *= max(_STEEPEST_DOWN, min(gradient, 1 - share * _STEEPEST_DOWN))
        elif 2 * self._most >= limit or gradient < 1:
            limit = limit * max(_STEEPEST_DOWN, gradient) + sqrt(limit)
        self._limit = min(max(limit, self._minimum), self._maximum)
        self._latencies.clear()
        self._dropped = self._most = 0


def _check(initial: int, minimum: int, maximum: int) -> None:
    if not 1 <= minimum <= initial <= maximum:
        raise ValueError(
            "minimum must be at least 1, initial between minimum and maximum, not "
            f"{minimum}, {initial}, {maximum}"
        )
