"""How long to wait for an answer before asking once more. Pure: time is an argument.

A fixed delay, or the time in which most calls were answered lately: then only the slow rest is sent
twice, and the added load is the share above the percentile.

Source: J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013 (hedged requests).
"""

from dataclasses import dataclass
from math import inf
from typing import Protocol

from loadpath.core.histogram import Histogram

_REFRESH = 60
"""Times that the delay is looked up anew while one half of the window fills."""


class HedgeDelay(Protocol):
    """Say how long to wait before asking once more."""

    def record(self, latency: float, now: float) -> None:
        """Learn that a first call took `latency` (s), or at least that long."""
        ...

    def delay(self, now: float) -> float:
        """Return the wait (s), infinite for none at all."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDelay:
    """Wait the same time always.

    Attributes:
        seconds: That time (s).
    """

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < inf:
            raise ValueError(f"delay must be above 0 s and finite, not {self.seconds}")

    def record(self, latency: float, now: float) -> None:
        """Learn nothing."""

    def delay(self, now: float) -> float:  # noqa: ARG002 - the port's
        """Return the wait (s)."""
        return self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyPercentile:
    """Wait as long as a share of the recent calls took.

    Attributes:
        ratio: That share; 0.95 sends about 5 % of the calls twice.
        initial: Wait until enough calls were seen (s); infinite sends nothing twice until then.
        minimum_calls: What is enough.
        seconds: How long a call is remembered, up to twice this (s).
    """

    ratio: float = 0.95
    initial: float = inf
    minimum_calls: int = 100
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(f"ratio must be between 0 and 1, not {self.ratio}")
        if not self.initial > 0:
            raise ValueError(f"initial must be above 0 s, not {self.initial}")
        if self.minimum_calls < 1:
            raise ValueError(f"minimum_calls must be at least 1, not {self.minimum_calls}")
        if not 0 < self.seconds < inf:
            raise ValueError(f"seconds must be above 0 and finite, not {self.seconds}")


class PercentileDelay:
    """Follow the latency of the recent calls, in two halves of which the older one is dropped.

    Args:
        policy: Which percentile, and of how many calls.
    """

    __slots__ = ("_delay", "_look_at", "_newer", "_older", "_policy", "_turn_at")

    def __init__(self, policy: LatencyPercentile) -> None:
        self._policy = policy
        self._older, self._newer = Histogram(), Histogram()
        self._turn_at = self._look_at = -inf
        self._delay = policy.initial

    def record(self, latency: float, now: float) -> None:
        """Learn that a first call took `latency` (s), or at least that long."""
        self._turn(now)
        self._newer.record(max(0.0, latency))

    def delay(self, now: float) -> float:
        """Return the wait (s), infinite for none at all."""
        policy = self._policy
        if not self._look_at - policy.seconds <= now < self._look_at:
            self._turn(now)
            self._look_at = now + policy.seconds / _REFRESH
            both = Histogram()
            both.merge(self._older)
            both.merge(self._newer)
            enough = both.count >= policy.minimum_calls
            self._delay = both.percentile(policy.ratio) if enough else policy.initial
        return self._delay

    def _turn(self, now: float) -> None:
        seconds = self._policy.seconds
        if self._turn_at - seconds <= now < self._turn_at:
            return
        # After two halves, or when the clock stepped back, what is known is of another time.
        fresh = self._turn_at <= now < self._turn_at + seconds
        self._older = self._newer if fresh else Histogram()
        self._newer = Histogram()
        self._turn_at = now + seconds
