"""In any stretch of time no more is admitted than burst and rate allow, and no less than needed."""

from itertools import accumulate, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import Rate, RateLimited
from loadpath.resilience.ratelimit.gcra import NEW, admit


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    """Draw any sensible rate."""
    return Rate(
        limit=draw(st.integers(1, 50)),
        period=draw(st.floats(0.1, 60)),
        burst=draw(st.integers(1, 10)),
    )


def replay(rate: Rate, times: list[float]) -> list[float]:
    """Return the times of the admitted requests."""
    scheduled, admitted = NEW, []
    for now in times:
        try:
            scheduled = admit(rate, scheduled, now)
        except RateLimited:
            continue
        admitted.append(now)
    return admitted


@given(rate=rates(), gaps=st.lists(st.floats(0, 5), max_size=60))
def test_never_admits_more_than_burst_plus_rate(rate: Rate, gaps: list[float]) -> None:
    """In any window, admissions stay within burst + elapsed / interval."""
    admitted = replay(rate, list(accumulate(gaps)))
    for start, end in combinations(range(len(admitted)), 2):
        elapsed = admitted[end] - admitted[start]
        assert end - start + 1 <= rate.burst + (elapsed + 1e-5) / rate.interval


@given(rate=rates(), gaps=st.lists(st.floats(0, 5), max_size=60))
def test_waiting_as_told_is_enough(rate: Rate, gaps: list[float]) -> None:
    """Who waits `retry_after` after a refusal is admitted, and not a moment too late."""
    scheduled, now = NEW, 0.0
    for gap in gaps:
        now += gap
        wait = 0.0
        try:
            scheduled = admit(rate, scheduled, now)
        except RateLimited as refused:
            wait = refused.retry_after
            scheduled = admit(rate, scheduled, now := now + wait)
        assert wait <= rate.interval * (1 + 1e-9)


def test_a_burst_and_then_the_rate() -> None:
    """Five at once, then one every tenth of a second."""
    rate = Rate(limit=10, burst=5)
    times = [n / 100 for n in range(100)]
    admitted = replay(rate, times)
    assert admitted[:5] == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert len(admitted) == 5 + 9


def test_exactly_on_schedule_is_admitted_for_ever() -> None:
    """A tenth is no binary number; ten thousand sums of it must not drift."""
    rate = Rate(limit=10)
    times = list(accumulate([0.1] * 10_000))
    assert len(replay(rate, times)) == 10_000


@pytest.mark.parametrize("back", [1e2, 1e9])
def test_a_clock_that_steps_back_costs_one_full_burst_at_most(back: float) -> None:
    """Nobody is locked out until the clock has caught up."""
    rate = Rate(limit=1, period=1.0, burst=3)
    scheduled = admit(rate, NEW, 1e9)
    with pytest.raises(RateLimited) as caught:
        admit(rate, scheduled, 1e9 - back)
    assert caught.value.retry_after <= 1.0 + 1e-6


@pytest.mark.parametrize(
    "given", [{"limit": 0}, {"limit": 1, "burst": 0}, {"limit": 1, "period": 0.0}]
)
def test_a_rate_without_meaning_is_refused(given: dict[str, float]) -> None:
    """The error shows all three."""
    with pytest.raises(ValueError, match="limit and burst must be at least 1, period above 0 s"):
        Rate(**given)  # type: ignore[arg-type] # drawn from the table
