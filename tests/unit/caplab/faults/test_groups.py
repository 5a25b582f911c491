"""Two nodes communicate exactly when they are on the same side of every cut."""

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.caplab.faults.groups import NodeGroups, random_cut, recovery_delay

NODES = ("node1", "node2", "node3", "node4", "node5")
cuts = st.lists(st.sets(st.sampled_from(NODES), min_size=1), max_size=4)


@given(cuts=cuts)
def test_same_side_of_every_cut(cuts: list[set[str]]) -> None:
    """Both inside or both outside each cut: they communicate; else they do not."""
    groups = NodeGroups(NODES)
    for cut in cuts:
        groups.create_partition(cut)
    grudge = groups.grudge()
    for one, other in product(NODES, repeat=2):
        together = all((one in cut) == (other in cut) for cut in cuts)
        assert groups.can_communicate(one, other) == together
        assert ((one, other) in grudge) == (not together)


@given(cuts=cuts)
def test_every_node_is_cut_off_or_available(cuts: list[set[str]]) -> None:
    """The two lists share the nodes, and resolving empties one."""
    groups = NodeGroups(NODES)
    for cut in cuts:
        groups.create_partition(cut)
    named = set[str]().union(*cuts)
    assert groups.partitioned_nodes() == [node for node in NODES if node in named]
    assert groups.available_nodes() == [node for node in NODES if node not in named]
    assert all(groups.is_node_partitioned(node) == (node in named) for node in NODES)
    groups.resolve_partition()
    assert not groups.partitioned_nodes()
    assert groups.can_communicate("node1", "node5")


def test_the_summary_tells_the_sides() -> None:
    """It counts both lists and shows who is with whom."""
    groups = NodeGroups(NODES)
    groups.create_partition(["node4", "node2"])
    status = groups.status()
    assert str(status) == "3 nodes available, 2 cut off: node1 node3 node5 | node2 node4"


@pytest.mark.parametrize("ask", ["create_partition", "is_node_partitioned", "can_communicate"])
def test_an_unknown_node_is_named(ask: str) -> None:
    """A wrong name is refused everywhere; the guide overlooks it."""
    groups = NodeGroups(NODES)
    arguments: tuple[object, ...] = {
        "create_partition": (["node9"],),
        "is_node_partitioned": ("node9",),
        "can_communicate": ("node1", "node9"),
    }[ask]
    with pytest.raises(ValueError, match="'node9' is no node"):
        getattr(groups, ask)(*arguments)
    with pytest.raises(ValueError, match="at least one"):
        groups.create_partition([])


@given(count=st.integers(2, 9), seed=st.integers())
def test_a_random_cut_leaves_two_sides(count: int, seed: int) -> None:
    """It names 1 to 3 different nodes and never all."""
    nodes = [f"n{number}" for number in range(count)]
    cut = random_cut(nodes, Random(seed))
    assert cut == random_cut(nodes, Random(seed))
    assert 1 <= len(set(cut)) == len(cut) <= min(3, count - 1)


@given(seed=st.integers())
def test_recovery_takes_5_to_15_seconds(seed: int) -> None:
    """As the guide says."""
    assert 5 <= recovery_delay(Random(seed)) <= 15
