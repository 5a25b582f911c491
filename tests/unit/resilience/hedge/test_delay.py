"""The delay follows the latency of the recent calls."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import LatencyPercentile
from loadpath.resilience.hedge.delay import FixedDelay, PercentileDelay


def test_a_fixed_delay_learns_nothing() -> None:
    """It is what it was given."""
    delay = FixedDelay(0.05)
    delay.record(9.0, 1.0)
    assert delay.delay(2.0) == 0.05
    with pytest.raises(ValueError, match="delay must be above 0 s"):
        FixedDelay(0.0)


def test_until_enough_is_known_the_initial_delay_holds() -> None:
    """By default nothing is sent twice before a hundred calls were seen."""
    delay = PercentileDelay(LatencyPercentile())
    now = 100.0
    for _ in range(99):
        delay.record(0.01, now)
        assert delay.delay(now) == inf
        now += 0.01
    delay.record(0.01, now)
    assert delay.delay(now + 1.0) == pytest.approx(0.01, rel=0.02)


@given(latencies=st.lists(st.floats(1e-4, 10), min_size=20, max_size=200))
def test_about_one_in_twenty_is_later_than_the_95th_percentile(latencies: list[float]) -> None:
    """Within the histogram's error of 1 %, at most 5 % of what was seen took longer."""
    delay = PercentileDelay(LatencyPercentile(minimum_calls=1))
    for latency in latencies:
        delay.record(latency, 50.0)
    longest = delay.delay(50.0) * 1.011
    assert sum(latency > longest for latency in latencies) <= 0.05 * len(latencies)


def test_old_latencies_are_forgotten() -> None:
    """Slow times of an hour ago say nothing about now, nor do those before a clock's step back."""
    delay = PercentileDelay(LatencyPercentile(minimum_calls=1, seconds=10.0))
    for later in (0.0, 3_600.0, -1e6):
        delay.record(5.0, 50.0 + later)
        assert delay.delay(50.0 + later) == pytest.approx(5.0, rel=0.02)
        for _ in range(3):
            later += 11.0  # noqa: PLW2901 - time goes on
            delay.record(0.01, 50.0 + later)
        assert delay.delay(50.0 + later) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ratio": 95.0}, "ratio must be between 0 and 1"),
        ({"initial": 0.0}, "initial must be above 0"),
        ({"minimum_calls": 0}, "minimum_calls must be at least 1"),
        ({"seconds": inf}, "seconds must be above 0 and finite"),
    ],
)
def test_a_percentile_without_meaning_is_refused(given: dict[str, float], message: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=message):
        LatencyPercentile(**given)  # type: ignore[arg-type] # drawn from the table
