"""The table is built as in the paper, even, and moves few keys."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadpath.balance import Maglev, Member
from loadpath.balance.maglev import build, is_prime, permutation
from tests.unit.balance.members import endpoint, members, named, start, update

KEYS = [f"user-{number}".encode() for number in range(5_000)]


def table_of(*given: Member, size: int = 2_039, bound: float | None = None) -> Maglev:
    """Return a picker of these members."""
    picker = Maglev(Random(1), size=size, bound=bound)
    update(picker, given)
    return picker


def test_the_papers_example() -> None:
    """Table 1 of the paper: three backends, seven places, before and after B1 leaves."""
    permutations = [(3, 4), (0, 2), (3, 1)]
    assert build(permutations, [1, 1, 1], 7) == [1, 0, 1, 0, 2, 2, 0]
    assert build([permutations[0], permutations[2]], [1, 1], 7) == [0, 0, 0, 0, 1, 1, 1]


def test_the_papers_size_is_even() -> None:
    """With 65,537 places for a hundred members the busiest has at most 1 % above the mean."""
    orders = [permutation(endpoint(f"m{n}"), 65_537) for n in range(100)]
    counted = Counter(build(orders, [1] * 100, 65_537))
    assert max(counted.values()) <= 65_537 / 100 * 1.01
    assert min(counted.values()) >= 65_537 / 100 * 0.99


@settings(max_examples=40)
@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_places_follow_weights(weights: list[int]) -> None:
    """Every place is owned, and shares are the weights' within a few places."""
    orders = [permutation(endpoint(f"m{n}"), 1_009) for n in range(len(weights))]
    counted = Counter(build(orders, weights, 1_009))
    assert counted.total() == 1_009
    for number, weight in enumerate(weights):
        share = 1_009 * weight / sum(weights)
        assert abs(counted[number] - share) <= len(weights) + 1  # the last round is cut short


def test_few_keys_move() -> None:
    """When one of ten goes, its tenth moves, and little else."""
    servers = named(10)
    before, after = table_of(*servers, size=65_537), table_of(*servers[1:], size=65_537)
    moved = [key for key in KEYS if before.pick(0.0, key, ()) is not after.pick(0.0, key, ())]
    own = [key for key in KEYS if before.pick(0.0, key, ()) is servers[0]]
    assert set(own) <= set(moved)
    assert len(moved) <= 1.3 * len(own)


def test_only_the_keys_of_a_member_that_is_not_ready_move() -> None:
    """The table stays as it is, so all of them come back."""
    servers = named(5)
    picker = table_of(*servers)
    before = [picker.pick(0.0, key, ()) for key in KEYS]
    servers[1].ready = False
    update(picker, servers)
    during = [picker.pick(0.0, key, ()) for key in KEYS]
    assert {a for a, b in zip(before, during, strict=True) if a is not b} == {servers[1]}
    assert len(set(during)) == 4
    servers[1].ready = True
    update(picker, servers)
    assert [picker.pick(0.0, key, ()) for key in KEYS] == before


def test_keys_are_spread_by_weight() -> None:
    """Keys that differ in a digit go everywhere."""
    picker = table_of(*members(a=3, b=1))
    counted = Counter(picker.pick(0.0, key, ()).endpoint.host for key in KEYS)
    assert counted["a"] / len(KEYS) == pytest.approx(0.75, rel=0.05)


def test_bounded_load_holds_for_one_hot_key() -> None:
    """Everybody asks for one key: no member holds more than 1.25 of its share, rounded up."""
    servers = named(10)
    picker = table_of(*servers, bound=1.25)
    for total in range(1, 401):
        start(picker.pick(0.0, b"hot", ()))
        assert max(member.active for member in servers) <= -(-1.25 * total // 10)


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry takes the next places, always the same."""
    servers = named(4)
    picker = table_of(*servers)
    first = picker.pick(0.0, b"key", ())
    second = picker.pick(0.0, b"key", [first])
    assert second is not first
    assert picker.pick(0.0, b"key", [first]) is second
    assert picker.pick(0.0, b"key", servers) is first


def test_calls_without_a_key_go_anywhere() -> None:
    """They are spread."""
    picker = table_of(*named(4))
    assert len({picker.pick(0.0, None, ()) for _ in range(100)}) == 4


@given(number=st.integers(-3, 2_000))
def test_primes_are_told(number: int) -> None:
    """Against trial division by everything."""
    expected = number > 1 and all(number % each for each in range(2, number))
    assert is_prime(number) is expected


def test_sizes_without_meaning_are_refused() -> None:
    """A composite size would leave places unowned; too small a one, members."""
    with pytest.raises(ValueError, match="size must be a prime"):
        Maglev(Random(1), size=65_536)
    with pytest.raises(ValueError, match="above the number of members"):
        table_of(*named(8), size=7)
