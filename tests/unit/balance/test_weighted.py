"""Weighted round robin: nginx's order, shares by weight, bursts to nobody."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import EarliestDeadline, SmoothWeighted, WeightedRoundRobin
from tests.unit.balance.members import endpoint, members, named, shares, update

weights = st.lists(st.integers(1, 20), min_size=1, max_size=12)


def order(picks: int, **by_name: int) -> str:
    """Return the names that nginx's order gives."""
    picker = SmoothWeighted()
    update(picker, members(**by_name))
    return "".join(picker.pick(0.0, None, ()).endpoint.host for _ in range(picks))


def test_nginx_order() -> None:
    """The sequence of nginx's own commit message, twice over, and others worked by hand."""
    assert order(14, a=5, b=1, c=1) == "aabacaa" * 2
    assert order(12, a=3, b=2, c=1) == "abacba" * 2
    assert order(6, a=1, b=1, c=1) == "abcabc"
    assert order(4, a=1, b=3) == "babb"


def test_the_guides_weights() -> None:
    """3, 2, 1: in six calls each server gets its weight."""
    assert Counter(order(6, a=3, b=2, c=1)) == {"a": 3, "b": 2, "c": 1}


@given(weights=weights)
def test_nginx_order_repeats_and_is_exact(weights: list[int]) -> None:
    """In every period each member gets exactly its weight, and all sums are back at zero."""
    picker, servers = SmoothWeighted(), named(len(weights))
    for member, weight in zip(servers, weights, strict=True):
        member.weight = weight
    update(picker, servers)
    for _ in range(2):
        counted = Counter(picker.pick(0.0, None, ()) for _ in range(sum(weights)))
        assert [counted[member] for member in servers] == weights
        assert set(picker._current.values()) == {0}


@given(weights=weights, seed=st.integers(0, 99))
def test_deadlines_keep_every_share_at_every_moment(weights: list[int], seed: int) -> None:
    """After any number of calls nobody is more than two calls from its share."""
    picker, servers = EarliestDeadline(Random(seed)), named(len(weights))
    for member, weight in zip(servers, weights, strict=True):
        member.weight = weight
    update(picker, servers)
    total, counted = sum(weights), Counter[object]()
    for picks in range(1, 3 * total + 1):
        counted[picker.pick(0.0, None, ())] += 1
        for member in servers:
            assert abs(counted[member] - picks * member.weight / total) <= len(set(weights)) + 1


def test_envoys_cycle() -> None:
    """As in Envoy's test of its scheduler: weights 1 to 128, in one cycle each gets its weight."""
    picker, servers = EarliestDeadline(Random(1)), named(128)
    for weight, member in enumerate(servers, 1):
        member.weight = weight
    update(picker, servers)
    counted = Counter(picker.pick(0.0, None, ()).weight for _ in range(128 * 129 // 2))
    assert counted == {weight: weight for weight in range(1, 129)}


def test_deadlines_stay_fair_though_members_change_all_the_time() -> None:
    """With a reload every three calls the shares still hold within a seventh."""
    picker, servers, counted = EarliestDeadline(Random(1)), members(a=5, b=1, c=2), Counter[str]()
    for _ in range(4_000):
        update(picker, servers)
        counted += shares(picker, 3)
    for name, weight in (("a", 5), ("b", 1), ("c", 2)):
        assert counted[name] / counted.total() == pytest.approx(weight / 8, rel=0.15)


def test_members_that_stay_keep_their_turn() -> None:
    """A member that goes and comes back does not make the others start again."""
    picker, (a, b, c) = SmoothWeighted(), members(a=5, b=1, c=1)
    update(picker, [a, b, c])
    first = [picker.pick(0.0, None, ()).endpoint.host for _ in range(3)]
    update(picker, [a, b, c])
    rest = [picker.pick(0.0, None, ()).endpoint.host for _ in range(4)]
    assert "".join(first + rest) == "aabacaa"


def test_the_form_follows_the_number() -> None:
    """Few members are taken in nginx's order, many by deadlines, and back."""
    picker, many = WeightedRoundRobin(Random(1), scan_up_to=3), named(4, weight=2)
    abc = members(a=5, b=1, c=1)
    update(picker, many)
    assert set(shares(picker, 8).values()) == {2}
    update(picker, abc)
    assert "".join(picker.pick(0.0, None, ()).endpoint.host for _ in range(7)) == "aabacaa"
    many[0].ready = False
    update(picker, many)
    assert set(shares(picker, 6).values()) == {2}


@pytest.mark.parametrize("scan_up_to", [0, 32])
def test_the_avoided_are_skipped_unless_nobody_is_left(scan_up_to: int) -> None:
    """A retry goes elsewhere in both forms, also from a member that weighs almost everything."""
    picker, servers = WeightedRoundRobin(Random(1), scan_up_to=scan_up_to), members(a=200, b=1, c=1)
    update(picker, servers)
    for _ in range(20):
        assert picker.pick(0.0, None, servers[:1]).endpoint.host in "bc"
        assert picker.pick(0.0, None, servers[:2]) is servers[2]
        assert picker.pick(0.0, None, servers) in servers


def test_a_threshold_without_meaning_is_refused() -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match="scan_up_to"):
        WeightedRoundRobin(Random(1), scan_up_to=-1)
    assert endpoint("a").weight == 1
