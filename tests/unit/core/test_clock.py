"""The clock tells this machine's time."""

import time

from loadpath.core.clock import Clock, SystemClock
from loadpath.testing import FakeClock


def test_monotonic_is_the_systems() -> None:
    """Readings are those of the system's monotonic clock."""
    clock: Clock = SystemClock()
    before = time.monotonic()
    first, second = clock.monotonic(), clock.monotonic()
    assert before <= first <= second <= time.monotonic()


def test_a_fake_clock_is_a_clock() -> None:
    """Whatever takes a clock takes the fake one; mypy checks the assignment."""
    clock: Clock = FakeClock()
    assert clock.monotonic() == 0.0
