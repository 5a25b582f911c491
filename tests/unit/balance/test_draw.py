"""Chance is fair to every weight."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import WeightedRandom
from loadpath.balance.draw import Pairs, pool
from tests.unit.balance.members import members, named, shares, update


@given(weights=st.lists(st.integers(1, 256), min_size=1, max_size=20))
def test_a_pool_holds_exact_shares(weights: list[int]) -> None:
    """Each member is there in proportion to its weight, with no rounding."""
    servers = named(len(weights))
    for member, weight in zip(servers, weights, strict=True):
        member.weight = weight
    drawn = pool(servers)
    assert all(
        drawn.count(member) * sum(weights) == weight * len(drawn)
        for member, weight in zip(servers, weights, strict=True)
    )


def test_shares_are_by_weight() -> None:
    """Of 20,000 calls every member gets its share within a tenth."""
    picker = WeightedRandom(Random(1))
    update(picker, members(a=3, b=2, c=1))
    counted = shares(picker, 20_000)
    for name, weight in (("a", 3), ("b", 2), ("c", 1)):
        assert counted[name] / 20_000 == pytest.approx(weight / 6, rel=0.1)


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry goes elsewhere, by weight among the rest."""
    picker, servers = WeightedRandom(Random(1)), members(a=250, b=2, c=1)
    update(picker, servers)
    picks = [picker.pick(0.0, None, servers[:1]).endpoint.host for _ in range(3_000)]
    assert set(picks) == {"b", "c"}
    assert picks.count("b") / 3_000 == pytest.approx(2 / 3, rel=0.1)
    assert picker.pick(0.0, None, servers) in servers


def test_a_pair_is_of_two_when_it_can_be() -> None:
    """A second draw of the same member is drawn again; a lone member is paired with itself."""
    pairs, servers = Pairs(Random(1)), named(2)
    pairs.update(servers)
    others = [pairs.another(servers[0]) for _ in range(200)]
    assert others.count(servers[1]) > 150
    pairs.update(servers[:1])
    assert pairs.another(servers[0]) is servers[0]
