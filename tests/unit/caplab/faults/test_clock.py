"""A skewed clock lies about the date only."""

from loadpath.caplab.faults.clock import SkewedClock
from loadpath.testing import FakeClock


def test_the_wall_clock_is_off_and_durations_are_not() -> None:
    """The skew moves one reading."""
    right = FakeClock(monotonic=5.0, time=1_000.0)
    wrong = SkewedClock(right, skew=-3.0)
    assert (wrong.monotonic(), wrong.time()) == (5.0, 997.0)
    wrong.skew = 60.0
    assert wrong.time() == 1_060.0
