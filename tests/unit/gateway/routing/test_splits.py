"""Targets get their shares, never in bursts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.routing.splits import Split


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any))
def test_every_target_gets_its_share(weights: list[int]) -> None:
    """In as many requests as the weights add up to, exactly; 0 gets none."""
    split = Split(list(enumerate(weights)))
    given_ = [split.next() for _ in range(sum(weights))]
    assert [given_.count(place) for place in range(len(weights))] == weights


def test_a_canary_is_spread() -> None:
    """One in ten comes once in ten, not ten times in a hundred."""
    split = Split([("stable", 9), ("canary", 1)])
    drawn = [split.next() for _ in range(100)]
    assert all(drawn[at : at + 10].count("canary") == 1 for at in range(0, 100, 10))


def test_one_needs_a_weight() -> None:
    """Else there is nobody to ask."""
    with pytest.raises(ValueError, match="above 0"):
        Split([("a", 0)])
