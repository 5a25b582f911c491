"""A clock that a test moves by hand."""


class FakeClock:
    """Tell the time that the test says it is; a `core.clock.Clock`.

    Args:
        monotonic: First monotonic reading (s).
        time: First wall-clock reading (Unix s).
    """

    def __init__(self, monotonic: float = 0.0, time: float = 1_800_000_000.0) -> None:
        self._monotonic = monotonic
        self._time = time

    def monotonic(self) -> float:
        """Return the monotonic reading (s)."""
        return self._monotonic

    def time(self) -> float:
        """Return the wall-clock reading (Unix s)."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks.

        Raises:
            ValueError: `seconds` is negative or not a number; `set_time` steps the wall clock back.
        """
        if not seconds >= 0:
            raise ValueError(f"time passes forwards, not {seconds} s: step back with set_time()")
        self._monotonic += seconds
        self._time += seconds

    def set_time(self, time: float) -> None:
        """Step the wall clock to `time` (Unix s), as NTP may; the monotonic clock stays."""
        self._time = time
