"""Behaviour of the open-loop schedule."""

import numpy as np
import pytest

from loadpath.systems.timeline.load.arrivals import Arrivals, slices


def test_the_schedule_has_the_offered_rate_and_mix() -> None:
    """Counts are those of Poisson processes of the offered rates."""
    made = list(slices(Arrivals(posts=500, reads=1_000, seconds=60)))
    posts = sum(int(s.is_post.sum()) for s in made)
    total = sum(len(s) for s in made)
    assert posts == pytest.approx(30_000, abs=5 * 30_000**0.5)
    assert total - posts == pytest.approx(60_000, abs=5 * 60_000**0.5)


def test_gaps_are_exponential() -> None:
    """The gaps' standard deviation equals their mean, as in a Poisson process."""
    at = np.concatenate([s.at for s in slices(Arrivals(posts=200, reads=800, seconds=50))])
    gaps = np.diff(at)
    assert (gaps >= 0).all()
    assert gaps.mean() == pytest.approx(1 / 1_000, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_a_broken_last_second_is_as_dense_as_the_others() -> None:
    """Nothing is scheduled after the end."""
    made = list(slices(Arrivals(posts=0, reads=10_000, seconds=2.5)))
    assert len(made) == 3
    assert made[-1].at.max() < 2.5
    assert len(made[-1]) == pytest.approx(5_000, rel=0.1)


def test_the_same_seed_gives_the_same_schedule() -> None:
    """A run can be repeated."""
    arrivals = Arrivals(posts=5, reads=5, seconds=3, seed=9)
    for first, again in zip(slices(arrivals), slices(arrivals), strict=True):
        assert np.array_equal(first.at, again.at)
        assert np.array_equal(first.is_post, again.is_post)
        assert np.array_equal(first.draw, again.draw)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"posts": -1}, "posts"),
        ({"posts": 0, "reads": 0}, "posts"),
        ({"seconds": 0}, "seconds"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_wrong_schedule_names_its_field(wrong: dict[str, float], named: str) -> None:
    """Nothing is scheduled from numbers that cannot be."""
    with pytest.raises(ValueError, match=named):
        Arrivals(**{"posts": 1, "reads": 1, "seconds": 1, **wrong})
