"""What every clock promises: it tells time and never sleeps."""

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.ids import SnowflakeIds, timestamp_of
from loadpath.testing import FakeClock

every_clock = pytest.mark.parametrize(
    "make", [SystemClock, lambda: FakeClock(time=time.time())], ids=["system", "fake"]
)


@every_clock
def test_monotonic_never_runs_backwards(make: Callable[[], Clock]) -> None:
    """Readings in a row are in order."""
    clock = make()
    readings = [clock.monotonic() for _ in range(1_000)]
    assert all(before <= after for before, after in pairwise(readings))


@every_clock
def test_time_is_the_unix_time(make: Callable[[], Clock]) -> None:
    """The wall clock counts seconds since 1970, so ids drawn by it tell when."""
    clock = make()
    assert abs(timestamp_of(SnowflakeIds(1, clock=clock).next()) - time.time()) < 5
