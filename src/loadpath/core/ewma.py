"""Averages that forget: what a latency or a size is *now*, in two floats.

Age is measured in seconds, not in samples, so a busy and an idle source are compared fairly.
Time is an argument, monotonic if it can be: a clock that steps back counts as one that stands.
"""

from math import exp, inf, nan


class Ewma:
    """Average samples, each weighing `e ** (-age / decay)`.

    Samples of the same moment weigh the same, and the first one counts no more than the next: the
    average is the weighted sum over the sum of the weights, not a running blend.

    Args:
        decay: Age at which a sample weighs 1/e (s).
    """

    __slots__ = ("_decay", "_sum", "_updated", "_weight")

    def __init__(self, decay: float) -> None:
        self._decay = _checked(decay)
        self._sum = 0.0
        self._weight = 0.0
        self._updated = -inf

    def update(self, sample: float, now: float) -> None:
        """Add a sample that was taken at `now` (s).

        Raises:
            ValueError: `sample` is infinite or not a number: it would never be forgotten.
        """
        if not -inf < sample < inf:
            raise ValueError(f"sample must be finite, not {sample}")
        age = now - self._updated
        if age > 0:
            fade = exp(-age / self._decay)
            self._updated = now
            self._sum = self._sum * fade + sample
            self._weight = self._weight * fade + 1.0
        else:
            self._sum += sample
            self._weight += 1.0

    @property
    def value(self) -> float:
        """The average, nan before the first sample."""
        return self._sum / self._weight if self._weight else nan


class PeakEwma:
    """Follow a cost that jumps up at once to a peak and decays slowly: an early warning.

    Args:
        decay: Seconds in which a peak falls to 1/e when cheaper samples (or none) follow.

    Source: Finagle's `PeakEwma` load balancer metric (Twitter, 2013).
    """

    __slots__ = ("_cost", "_decay", "_updated")

    def __init__(self, decay: float) -> None:
        self._decay = _checked(decay)
        self._cost = 0.0
        self._updated = -inf

    def update(self, sample: float, now: float) -> None:
        """Add a sample that was taken at `now` (s).

        Of samples of one moment only the highest counts.

        Raises:
            ValueError: `sample` is negative, infinite or not a number.
        """
        if not 0 <= sample < inf:
            raise ValueError(f"sample must be finite and at least 0, not {sample}")
        age = now - self._updated
        if age > 0:
            self._updated = now
        cost = self._cost
        if sample >= cost:
            self._cost = sample
        elif age > 0:
            fade = exp(-age / self._decay)
            self._cost = cost * fade + sample * (1.0 - fade)

    def value(self, now: float) -> float:
        """Return the cost at `now` (s), 0 before the first sample.

        It decays while no sample comes: an idle source is forgiven, so that it is tried again.
        """
        age = now - self._updated
        return self._cost * exp(-age / self._decay) if age > 0 else self._cost


def _checked(decay: float) -> float:
    if not 0 < decay < inf:
        raise ValueError(f"decay must be above 0 s and finite, not {decay}")
    return decay
