"""Behaviour of the generated follower graph."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadpath.systems.timeline.load.population import Population, chunks, wanted_followers

populations = st.builds(
    Population,
    users=st.integers(20, 3_000),
    followers=st.floats(0.5, 9),
    seed=st.integers(0, 2**32),
    alpha=st.floats(1.1, 3),
    celebrity=st.floats(0.01, 1),
)


def pairs(population: Population) -> np.ndarray:
    """Return every edge as (follower, followee)."""
    made = [np.column_stack([c.followers, c.followees]) for c in chunks(population)]
    return np.concatenate(made)


@settings(max_examples=60, deadline=None)
@given(population=populations)
def test_edges_are_sorted_unique_and_between_two_known_users(population: Population) -> None:
    """No self-follow, no repeat, no unknown user, in the order of the record's primary key."""
    edges = pairs(population).astype(np.int64)
    keys = (edges[:, 0] << 32) | edges[:, 1]
    assert (np.diff(keys) > 0).all()
    assert (edges[:, 0] != edges[:, 1]).all()
    assert len(edges) == 0 or (edges.min() >= 1 and edges.max() <= population.users)


def test_a_seed_always_makes_the_same_graph_and_another_seed_another() -> None:
    """The description is the graph."""
    first = pairs(Population(users=2_000, followers=20, seed=7))
    again = pairs(Population(users=2_000, followers=20, seed=7))
    other = pairs(Population(users=2_000, followers=20, seed=8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_followers_have_the_wanted_mean_and_a_heavy_tail() -> None:
    """The mean is close to what was asked for; a few authors are followed by a large share."""
    population = Population(users=20_000, followers=100, seed=3)
    degrees = np.bincount(pairs(population)[:, 1], minlength=population.users + 1)[1:]
    assert degrees.mean() == pytest.approx(100, rel=0.05)
    assert np.median(degrees) < 75
    assert 0.15 * population.users < degrees.max() <= 0.27 * population.users


def test_wanted_followers_follow_the_power_law_between_its_bounds() -> None:
    """A factor of ten in followers costs a factor of 10**alpha in how many authors have them."""
    wanted = wanted_followers(Population(users=200_000, followers=200, alpha=1.5))
    above_200 = (wanted > 200).sum()
    above_2000 = (wanted > 2_000).sum()
    assert above_200 / above_2000 == pytest.approx(10**1.5, rel=0.05)
    assert wanted.mean() == pytest.approx(200, rel=0.01)


def test_chunks_tell_how_far_the_graph_is_complete() -> None:
    """`last` covers exactly the followers seen so far and ends at the last user."""
    previous = 0
    for chunk in chunks(Population(users=30_000, followers=100)):
        assert chunk.followers.min() > previous
        assert chunk.followers.max() <= chunk.last
        previous = chunk.last
    assert previous == 30_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("users", 1),
        ("users", 2_000_000_000),
        ("followers", 0),
        ("followers", 50.1),
        ("seed", -1),
        ("alpha", 1.0),
        ("celebrity", 0.0),
        ("celebrity", 1.1),
    ],
)
def test_a_wrong_description_names_its_field(field: str, value: float) -> None:
    """Nothing is generated from numbers that cannot be."""
    with pytest.raises(ValueError, match=field):
        Population(**{"users": 101, "followers": 10.0, field: value})
