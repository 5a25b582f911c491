"""The least loaded for its weight, and fair among equals."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import LeastConnections
from tests.unit.balance.members import members, named, shares, start, update


@given(
    loads=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=16),
)
def test_a_small_set_gives_the_least_loaded(loads: list[tuple[int, int]]) -> None:
    """No member has fewer calls for its weight than the picked one."""
    picker, servers = LeastConnections(Random(1)), named(len(loads))
    for member, (active, weight) in zip(servers, loads, strict=True):
        start(member, active)
        member.weight = weight
    update(picker, servers)
    picked = picker.pick(0.0, None, ())
    assert all(picked.active * each.weight <= each.active * picked.weight for each in servers)


def test_ties_go_round() -> None:
    """Idle members take turns; the guide gives every call to the first one."""
    picker = LeastConnections(Random(1))
    update(picker, named(5))
    assert set(shares(picker, 50).values()) == {10}


def test_ties_go_round_by_weight() -> None:
    """As nginx does: among idle members each gets its weight."""
    picker = LeastConnections(Random(1))
    update(picker, members(a=5, b=1, c=1))
    assert shares(picker, 70) == {"a": 50, "b": 10, "c": 10}


def test_calls_in_flight_follow_weights() -> None:
    """With calls that do not end, the counts stand as the weights do."""
    picker, servers = LeastConnections(Random(1)), members(a=4, b=2, c=1)
    update(picker, servers)
    for _ in range(70):
        start(picker.pick(0.0, None, ()))
    assert [member.active for member in servers] == [40, 20, 10]


def test_the_power_of_two_keeps_a_large_set_level() -> None:
    """A thousand calls to a hundred members: nobody has more than twice its share."""
    picker, servers = LeastConnections(Random(1)), named(100)
    update(picker, servers)
    for _ in range(1_000):
        start(picker.pick(0.0, None, ()))
    assert max(member.active for member in servers) <= 14
    assert min(member.active for member in servers) >= 6


def test_a_large_set_follows_weights_too() -> None:
    """Idle, a member is drawn by its weight; loaded, calls in flight stand as the weights do."""
    picker, servers = LeastConnections(Random(1)), named(100)
    for member in servers[:50]:
        member.weight = 3
    update(picker, servers)
    counted = Counter(picker.pick(0.0, None, ()).weight for _ in range(8_000))
    assert counted[3] / 8_000 == pytest.approx(0.75, rel=0.05)
    for _ in range(2_000):
        start(picker.pick(0.0, None, ()))
    heavy = sum(member.active for member in servers[:50])
    assert heavy / 2_000 == pytest.approx(0.75, rel=0.05)


@pytest.mark.parametrize("scan_up_to", [1, 16])
def test_the_avoided_are_skipped_unless_nobody_is_left(scan_up_to: int) -> None:
    """A retry goes elsewhere, even to a busier one."""
    picker, servers = LeastConnections(Random(1), scan_up_to=scan_up_to), named(3)
    start(servers[2], 5)
    update(picker, servers)
    assert picker.pick(0.0, None, servers[:2]) is servers[2]
    assert picker.pick(0.0, None, servers) in servers


def test_a_threshold_without_meaning_is_refused() -> None:
    """A lone member is no pair."""
    with pytest.raises(ValueError, match="scan_up_to"):
        LeastConnections(Random(1), scan_up_to=0)
