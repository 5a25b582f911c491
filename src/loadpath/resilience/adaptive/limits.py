"""How many calls at once a dependency can take, learned from how it answers. Pure.

A fixed limit is right for one day only. `Gradient` compares how long calls take now with how long
they took over a longer time: as soon as they queue somewhere, it takes calls away. `Aimd` grows by
one per round of answers and shrinks by a share when a call is dropped or late, as TCP does.

Source: Netflix's concurrency-limits (`Gradient2Limit`, `AIMDLimit`); V. Jacobson, "Congestion
Avoidance and Control", SIGCOMM 1988.
"""

from math import inf
from typing import Protocol

_SMOOTHING = 0.2
_WARM_UP = 10
_LONG_SAMPLES = 600
_STEEPEST = 0.5


class ConcurrencyLimit(Protocol):
    """Learn how many calls may run at once."""

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        ...

    def record(self, latency: float, running: int, *, dropped: bool) -> None:
        """Learn from a call that ended.

        Args:
            latency: How long it took (s).
            running: Calls that ran when it began, itself included.
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

    def record(self, latency: float, running: int, *, dropped: bool) -> None:
        """Learn from a call that ended; a limit that is not used teaches nothing about more."""
        limit = self._limit
        if dropped or latency > self._late_after:
            limit *= self._shrink
        elif 2 * running >= limit:
            limit += 1 / limit
        self._limit = min(max(limit, self._minimum), self._maximum)


class Gradient:
    """Follow the ratio of the long-term to the present latency.

    Args:
        initial: Limit to begin with.
        minimum: Smallest limit.
        maximum: Largest limit.
        queue: Calls that may wait at the dependency; the limit grows by them while it is quick.
        tolerance: How many times slower than usual is still fine, at least 1.
    """

    __slots__ = ("_limit", "_long", "_maximum", "_minimum", "_queue", "_samples", "_tolerance")

    def __init__(
        self,
        *,
        initial: int = 20,
        minimum: int = 1,
        maximum: int = 1_000,
        queue: int = 4,
        tolerance: float = 1.5,
    ) -> None:
        _check(initial, minimum, maximum)
        if queue < 1:
            raise ValueError(f"queue must be at least 1, not {queue}")
        if not 1 <= tolerance < inf:
            raise ValueError(f"tolerance must be at least 1 and finite, not {tolerance}")
        self._limit = float(initial)
        self._minimum, self._maximum = minimum, maximum
        self._queue = queue
        self._tolerance = tolerance
        self._long = 0.0
        self._samples = 0

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        return int(self._limit)

    def record(self, latency: float, running: int, *, dropped: bool) -> None:
        """Learn from a call that ended; a limit that is not used teaches nothing about more."""
        limit = self._limit
        if dropped:
            gradient = _STEEPEST
        else:
            self._remember(latency)
            if 2 * running < limit:
                return
            usual = self._tolerance * self._long
            gradient = min(1.0, max(_STEEPEST, usual / latency)) if latency > 0 else 1.0
        target = limit * gradient + (0 if dropped else self._queue)
        limit += (target - limit) * _SMOOTHING
        self._limit = min(max(limit, self._minimum), self._maximum)

    def _remember(self, latency: float) -> None:
        """Average over a long time; what has become much quicker is believed sooner."""
        self._samples += 1
        if self._samples <= _WARM_UP:
            self._long += (latency - self._long) / self._samples
        else:
            self._long += (latency - self._long) * 2 / (_LONG_SAMPLES + 1)
            if self._long > 2 * latency:
                self._long *= 0.95


def _check(initial: int, minimum: int, maximum: int) -> None:
    if not 1 <= minimum <= initial <= maximum:
        raise ValueError(
            "minimum must be at least 1, initial between minimum and maximum, not "
            f"{minimum}, {initial}, {maximum}"
        )
