"""A clock that is wrong, for whoever takes a `clock=`."""

from loadpath.core.clock import Clock


class SkewedClock:
    """Tell another clock's time, with a wall clock that is off; a `core.clock.Clock`.

    Args:
        clock: The right one.
        skew: Seconds that the wall clock is ahead; may be changed at any time.
    """

    def __init__(self, clock: Clock, *, skew: float = 0.0) -> None:
        self._clock = clock
        self.skew = skew

    def monotonic(self) -> float:
        """Return the monotonic reading (s), which no skew touches."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return the wall-clock reading (Unix s), off by the skew."""
        return self._clock.time() + self.skew
