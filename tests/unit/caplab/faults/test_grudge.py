"""Grudges cut what their names say, for every seed and number of nodes."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.caplab.faults.grudge import TARGETS, Grudge, Target, grudge_for, majority

counts = st.integers(2, 9)
seeds = st.integers()


def names(count: int) -> list[str]:
    """Return node names."""
    return [f"n{number}" for number in range(1, count + 1)]


def hears(grudge: Grudge, nodes: list[str], node: str) -> frozenset[str]:
    """Return whom a node hears, itself included."""
    return frozenset(other for other in nodes if (other, node) not in grudge)


def sides(grudge: Grudge, nodes: list[str]) -> list[int]:
    """Return the sizes of the sides of a symmetric grudge, smallest first."""
    assert grudge == {(to, source) for source, to in grudge}
    return sorted(len(side) for side in {hears(grudge, nodes, node) for node in nodes})


@given(count=counts, seed=seeds)
def test_one_is_alone(count: int, seed: int) -> None:
    """One node on its own, all others together."""
    nodes = names(count)
    assert sides(grudge_for("one", nodes, random=Random(seed)), nodes) == sorted([1, count - 1])


@given(count=st.integers(4, 9), seed=seeds)
def test_a_minority_third_is_below_a_third(count: int, seed: int) -> None:
    """The cut-off side is the largest number below a third."""
    nodes = names(count)
    small = sides(grudge_for("minority-third", nodes, random=Random(seed)), nodes)[0]
    assert small * 3 < count <= (small + 1) * 3


def test_three_nodes_have_no_minority_third() -> None:
    """Nothing is below a third of three."""
    assert not grudge_for("minority-third", names(3), random=Random(0))


@given(count=counts, seed=seeds)
def test_a_majority_stays_together(count: int, seed: int) -> None:
    """One side has a majority and no node more."""
    nodes = names(count)
    assert max(sides(grudge_for("majority", nodes, random=Random(seed)), nodes)) == majority(count)


@given(count=st.integers(3, 9), seed=seeds)
def test_each_node_of_a_ring_hears_another_majority(count: int, seed: int) -> None:
    """Everybody hears a majority that includes themselves; no two hear the same."""
    nodes = names(count)
    grudge = grudge_for("majorities-ring", nodes, random=Random(seed))
    heard = {node: hears(grudge, nodes, node) for node in nodes}
    assert all(node in side and len(side) == majority(count) for node, side in heard.items())
    assert len(set(heard.values())) == count


@given(count=counts, seed=seeds, data=st.data())
def test_primaries_are_cut_off_one_by_one(count: int, seed: int, data: st.DataObject) -> None:
    """Some primary is alone; whoever is not alone is with all who are not."""
    nodes = names(count)
    primaries = data.draw(st.sets(st.sampled_from(nodes), min_size=1))
    grudge = grudge_for("primaries", nodes, random=Random(seed), primaries=primaries)
    alone = {node for node in nodes if hears(grudge, nodes, node) == {node}}
    assert alone & primaries
    rest = frozenset(nodes) - (alone & primaries)
    assert all(hears(grudge, nodes, node) in (rest, {node}) for node in rest)


def test_without_a_primary_nothing_is_cut() -> None:
    """Nobody can be drawn."""
    assert not grudge_for("primaries", names(3), random=Random(0))


@given(target=st.sampled_from(TARGETS), count=counts, seed=seeds)
def test_a_seed_repeats_a_grudge_and_nobody_loses_themselves(
    target: Target, count: int, seed: int
) -> None:
    """The same seed draws the same, and a node always hears itself."""
    nodes = names(count)
    one, two = (
        grudge_for(target, nodes, random=Random(seed), primaries=nodes[:1]) for _ in range(2)
    )
    assert one == two
    assert all(source != to for source, to in one)


def test_what_cannot_be_is_named() -> None:
    """A wrong target, primary or node list is refused by its name."""
    with pytest.raises(ValueError, match="target must be one of one, "):
        grudge_for("all", names(3), random=Random(0))  # type: ignore[arg-type] # the mistake
    with pytest.raises(ValueError, match="primaries names nodes that are none: n9"):
        grudge_for("primaries", names(3), random=Random(0), primaries=["n9"])
    with pytest.raises(ValueError, match="nodes must be two or more"):
        grudge_for("one", ["n1", "n1"], random=Random(0))
