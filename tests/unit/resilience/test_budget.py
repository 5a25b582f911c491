"""A budget repeats a share of the calls and a little more, never without bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import BudgetPolicy, RetryBudget
from loadpath.testing import FakeClock


@given(
    steps=st.lists(st.tuples(st.sampled_from(["call", "repeat", "wait"]), st.floats(0, 3))),
    share=st.sampled_from([0.0, 0.1, 0.2, 1.0]),
    rate=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_repetitions_stay_within_their_share(
    steps: list[tuple[str, float]], share: float, rate: float
) -> None:
    """When one is allowed, those of the window are at most share x calls + rate x seconds."""
    budget = RetryBudget(BudgetPolicy(seconds=10.0, share=share, minimum_rate=rate))
    now, calls, repeats = 50.0, [], []
    for kind, seconds in steps:
        if kind == "wait":
            now += seconds
        elif kind == "call":
            budget.earn(now)
            calls.append(now)
        elif budget.spend(now):
            repeats.append(now)
            # A bucket leaves as a whole, so the window may be one second shorter than ten.
            recent = sum(now - when <= 8.999 for when in repeats)
            earned = share * sum(now - when <= 10.0 for when in calls)
            assert recent <= earned + rate * 10.0 + 1e-9


def test_one_in_five_and_ten_a_second() -> None:
    """The defaults: without traffic 100 in ten seconds, with 1,000 calls 200 more."""
    quiet, busy = RetryBudget(), RetryBudget(clock=FakeClock(monotonic=1.0))
    for _ in range(1_000):
        busy.earn(1.0)
    assert sum(quiet.spend(1.0) for _ in range(1_000)) == 100
    assert sum(busy.spend(1.0) for _ in range(1_000)) == 300
    snapshot = busy.snapshot()
    assert (snapshot.calls, snapshot.repeats, snapshot.left, snapshot.refused) == (
        1_000,
        300,
        0,
        700,
    )


def test_a_spent_budget_comes_back() -> None:
    """After its window it is as new."""
    budget = RetryBudget(BudgetPolicy(seconds=1.0, minimum_rate=1.0))
    assert budget.spend(0.0)
    assert not budget.spend(0.5)
    assert budget.spend(1.1)


def test_without_share_and_minimum_nothing_is_repeated() -> None:
    """Zero is zero."""
    budget = RetryBudget(BudgetPolicy(share=0.0, minimum_rate=0.0))
    budget.earn(0.0)
    assert not budget.spend(0.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seconds": 0.0}, "seconds must be above 0"),
        ({"share": 20.0}, "share must be 0-1"),
        ({"minimum_rate": -1.0}, "minimum_rate must be at least 0"),
    ],
)
def test_a_budget_without_meaning_is_refused(given: dict[str, float], message: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=message):
        BudgetPolicy(**given)
