"""The most popular keys are found in bounded memory."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache import PopularKeys


@given(keys=st.lists(st.integers(0, 40).map(str)), capacity=st.integers(1, 20))
def test_no_frequent_key_is_missed(keys: list[str], capacity: int) -> None:
    """Whatever is asked for in more than one of `capacity` requests is among those counted."""
    popular = PopularKeys(capacity=capacity)
    for key in keys:
        popular.record(key)
    assert len(popular) <= capacity
    counted = set(popular.top(capacity))
    for key, count in Counter(keys).items():
        if count > len(keys) / capacity:
            assert key in counted


def test_the_top_of_a_power_law_is_right() -> None:
    """The ten most popular of 5,000, with room for 500."""
    chance, popular = Random(1), PopularKeys(capacity=500)
    ranks = range(5_000)
    for rank in chance.choices(ranks, weights=[1 / (n + 1) for n in ranks], k=50_000):
        popular.record(str(rank))
    assert len(set(popular.top(10)) & {str(n) for n in range(10)}) >= 9


def test_what_was_popular_fades() -> None:
    """After a few half-lives the new favourite leads."""
    popular = PopularKeys(half_life=100)
    for _ in range(1_000):
        popular.record("old")
    for _ in range(300):
        popular.record("new")
    assert popular.top(1) == ["new"]


def test_sizes_without_meaning_are_refused() -> None:
    """When it is made."""
    with pytest.raises(ValueError, match="capacity"):
        PopularKeys(capacity=0)
    with pytest.raises(ValueError, match="half_life"):
        PopularKeys(half_life=0)
