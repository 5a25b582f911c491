"""A Valkey cluster that knows itself before it starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.local.nodes import SLOTS, Node, move_nodes, read_myself, slot_ranges, write_nodes

A, B = "a" * 40, "b" * 40
NODES = [
    Node(id=A, shard="c" * 40, port=7001, bus_port=17001, slots=(0, SLOTS - 1)),
    Node(id=B, shard="c" * 40, port=7002, bus_port=17002, master=A),
]


@given(st.integers(1, 1000))
def test_every_slot_has_one_master(masters: int) -> None:
    """The ranges follow one another from the first slot to the last, about equally long."""
    ranges = slot_ranges(masters)
    covered = [slot for first, last in ranges for slot in range(first, last + 1)]
    assert covered == list(range(SLOTS))
    sizes = {last - first for first, last in ranges}
    assert max(sizes) - min(sizes) <= 1


def test_each_file_names_its_own_node() -> None:
    """A node finds itself in its own file, its role and its slots beside it."""
    text = write_nodes(NODES, B)
    assert read_myself(text) == B
    assert f"{A} 127.0.0.1:7001@17001,,shard-id={'c' * 40} master - 0 0 1 connected 0-16383" in text
    assert f"myself,slave {A} 0 0 1 connected" in text
    assert text.endswith("vars currentEpoch 1 lastVoteEpoch 0\n")


@pytest.mark.parametrize("text", ["", "vars currentEpoch 1 lastVoteEpoch 0\n", "damaged"])
def test_a_damaged_file_names_nobody(text: str) -> None:
    """A file without a line of its own is recognised as damaged."""
    assert read_myself(text) is None


def test_moving_changes_addresses_and_nothing_else() -> None:
    """Roles, slots, epochs and unknown nodes stay; known nodes get their new ports."""
    before = write_nodes(NODES, A).replace(":7001@", ":9999@") + "unknown 127.0.0.1:1@2 slave\n"
    after = move_nodes(before, {A: (8001, 18001), B: (8002, 18002)})
    expected = before.replace("9999@17001", "8001@18001").replace("7002@17002", "8002@18002")
    assert after == expected


def test_moving_finds_a_node_that_lost_its_address() -> None:
    """A node that was away when the file was written has an empty address; it gets one."""
    moved = move_nodes(f"{A} :0@0,,shard-id=x master,noaddr - 0 0 1 disconnected\n", {A: (1, 2)})
    assert moved.startswith(f"{A} 127.0.0.1:1@2,,shard-id=x")
