"""The fake clock moves only by hand."""

import pytest

from loadpath.testing import FakeClock


def test_stands_still_until_told() -> None:
    """Readings repeat while nobody moves the clock."""
    clock = FakeClock(monotonic=3.0, time=1_000.0)
    assert [clock.monotonic(), clock.monotonic()] == [3.0, 3.0]
    assert [clock.time(), clock.time()] == [1_000.0, 1_000.0]


def test_advance_moves_both() -> None:
    """Time passes on the monotonic and on the wall clock alike."""
    clock = FakeClock(monotonic=3.0, time=1_000.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.time()) == (5.5, 1_002.5)


@pytest.mark.parametrize("time", [10.0, 5_000.0])
def test_set_time_steps_the_wall_clock_alone(time: float) -> None:
    """NTP may step the wall clock either way; the monotonic one does not notice."""
    clock = FakeClock(monotonic=3.0, time=1_000.0)
    clock.set_time(time)
    assert (clock.monotonic(), clock.time()) == (3.0, time)


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_time_does_not_pass_backwards(seconds: float) -> None:
    """A negative advance is refused, with the way to step back."""
    with pytest.raises(ValueError, match=r"set_time\(\)"):
        FakeClock().advance(seconds)
