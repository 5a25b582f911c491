"""The follower graph against a dict of sets."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.fanout import graph as graph_module
from loadpath.systems.timeline.fanout.graph import FollowerGraph, GraphBuilder

_edges = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), max_size=80, unique=True)
_changes = st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 40)), max_size=80)


def _built(edges: list[tuple[int, int]], *, pieces: int = 1) -> FollowerGraph:
    builder = GraphBuilder(expected=1)
    for start in range(pieces):
        piece = np.array(edges[start::pieces], np.int64).reshape(-1, 2)
        builder.add(piece[:, 0], piece[:, 1])
    return builder.build()


@given(edges=_edges, changes=_changes, pieces=st.integers(1, 5))
def test_graph_is_what_was_loaded_and_changed(
    edges: list[tuple[int, int]], changes: list[tuple[bool, int, int]], pieces: int
) -> None:
    """Any edges in any pieces, then any follows and unfollows, repeated ones included."""
    graph, model = _built(edges, pieces=pieces), defaultdict(set)
    for author, ring in edges:
        model[author].add(ring)
    for follows, author, ring in changes:
        known = ring in model[author]
        if follows:
            assert graph.follow(author, ring) is not known
            model[author].add(ring)
        else:
            assert graph.unfollow(author, ring) is known
            model[author].discard(ring)
    for author in range(15):
        assert graph.followers(author).tolist() == sorted(model[author])
    assert len(graph) == sum(map(len, model.values()))


@given(edges=_edges)
def test_loading_in_sorted_blocks_changes_nothing(edges: list[tuple[int, int]]) -> None:
    """Blocks far smaller than the edges merge to the same graph."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_module, "BLOCK", 7)
        graph = _built(edges, pieces=3)
    for author in range(10):
        expected = sorted(ring for followed, ring in edges if followed == author)
        assert graph.followers(author).tolist() == expected


def test_unknown_authors_have_no_followers() -> None:
    """Neither those who came later nor numbers that are no user."""
    graph = _built([(3, 1)])
    for author in (-1, 0, 4, 2**40):
        assert len(graph.followers(author)) == 0
        assert not graph.unfollow(author, 1)


def test_edges_to_numbers_that_are_no_user_are_left_out() -> None:
    """The record does not check whom it lets somebody follow."""
    graph = _built([(-3, 1), (0, 1), (2, 1)])
    assert len(graph) == 1
    assert graph.followers(2).tolist() == [1]


def test_followers_of_an_author_do_not_leak_into_others() -> None:
    """A row is copied before it is changed, so the neighbour's row stays."""
    graph = _built([(1, 5), (2, 5), (3, 5)])
    graph.follow(2, 6)
    graph.unfollow(2, 5)
    assert [graph.followers(author).tolist() for author in (1, 2, 3)] == [[5], [6], [5]]


def test_following_a_celebrity_moves_little_memory() -> None:
    """Growth is amortised: 1,000 follows reallocate a handful of times."""
    graph = _built([(1, ring) for ring in range(10_000)])
    buffers = set()
    for ring in range(20_000, 21_000):
        graph.follow(1, ring)
        buffers.add(graph.followers(1).__array_interface__["data"][0])
    assert len(buffers) <= 3


def test_memory_is_bounded_by_the_edges() -> None:
    """A matrix of 4 bytes per edge; authors that changed take at most 5 more, and a little."""
    edges = [(author, ring) for author in range(100) for ring in range(100)]
    graph = _built(edges)
    assert graph.nbytes <= 4 * len(edges) + 8 * 102
    for author in range(100):
        for ring in range(100, 200):
            graph.follow(author, ring)
        for ring in range(100, 200):
            graph.unfollow(author, ring)
    assert graph.nbytes <= 4 * len(edges) + 5 * 2 * len(edges) + 100 * 32


def test_followers_that_came_and_went_leave_nothing() -> None:
    """An author who was unknown at the start and is left again takes no memory."""
    graph = FollowerGraph.empty()
    before = graph.nbytes
    graph.follow(7, 1)
    graph.unfollow(7, 1)
    assert graph.nbytes == before
    assert len(graph) == 0


def test_matrix_must_be_one() -> None:
    """Starts that do not cover the followers are refused."""
    with pytest.raises(ValueError, match="starts must begin with 0"):
        FollowerGraph(np.array([0, 1], np.int64), np.empty(0, np.uint32))
