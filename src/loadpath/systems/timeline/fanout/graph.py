"""Who follows whom, seen from the author: the rings that a new post goes to.

The graph as it was when the writer started is one compressed sparse row matrix: `followers` of
all authors one after the other, sorted, and where each author's begin. Authors whose followers
changed since then get a sorted array of their own that replaces their row; it grows by a quarter,
so that following costs one short move of memory. Memory stays within 4 bytes per edge for the
matrix, 5 per edge of authors that changed, and a few hundred bytes for each such author.
"""

from typing import Self

import numpy as np
import numpy.typing as npt

Rings = npt.NDArray[np.uint32]

BLOCK = 1 << 22
NOBODY: Rings = np.empty(0, np.uint32)


class FollowerGraph:
    """Answer which rings follow an author, while follows come and go."""

    def __init__(self, starts: npt.NDArray[np.int64], followers: Rings) -> None:
        """Hold a compressed sparse row matrix, without copying it.

        Args:
            starts: Where each author's followers begin, and the end; non-decreasing.
            followers: Ring numbers, sorted and unique within each author.
        """
        if not len(starts) or starts[0] != 0 or starts[-1] != len(followers):
            raise ValueError("starts must begin with 0 and end with the number of followers")
        self._starts = starts
        self._followers = followers
        self._changed: dict[int, _SortedRings] = {}
        self._edges = len(followers)

    @classmethod
    def empty(cls) -> Self:
        """Return a graph in which nobody follows anybody."""
        return cls(np.zeros(1, np.int64), NOBODY)

    def __len__(self) -> int:
        """Return the number of edges."""
        return self._edges

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays (bytes)."""
        changed = sum(rings.nbytes for rings in self._changed.values())
        return self._starts.nbytes + self._followers.nbytes + changed

    def followers(self, author: int) -> Rings:
        """Return the rings that follow an author, sorted; valid until the next change.

        Args:
            author: User id; an unknown one has no followers.
        """
        changed = self._changed.get(author)
        return self._row(author) if changed is None else changed.view()

    def follow(self, author: int, ring: int) -> bool:
        """Add a follower; False when it already follows.

        Args:
            author: User id of the one who is followed.
            ring: Ring of the follower.
        """
        added = self._own(author).add(ring)
        self._edges += added
        return added

    def unfollow(self, author: int, ring: int) -> bool:
        """Remove a follower; False when it does not follow.

        Args:
            author: User id of the one who was followed.
            ring: Ring of the follower.
        """
        if not _contains(self.followers(author), ring):
            return False
        rings = self._own(author)
        rings.remove(ring)
        self._edges -= 1
        if not len(rings.view()) and not len(self._row(author)):
            del self._changed[author]
        return True

    def _row(self, author: int) -> Rings:
        """Return the followers that an author had at the start."""
        if not 0 <= author < len(self._starts) - 1:
            return NOBODY
        return self._followers[self._starts[author] : self._starts[author + 1]]

    def _own(self, author: int) -> "_SortedRings":
        """Return the author's own array, made from the start's row at the first change."""
        rings = self._changed.get(author)
        if rings is None:
            rings = self._changed[author] = _SortedRings(self._row(author))
        return rings


class _SortedRings:
    """Keep a sorted array of unique rings in a buffer that grows by a quarter."""

    __slots__ = ("_buffer", "_size")

    def __init__(self, rings: Rings) -> None:
        self._buffer = rings
        self._size = len(rings)

    @property
    def nbytes(self) -> int:
        return self._buffer.nbytes

    def view(self) -> Rings:
        return self._buffer[: self._size]

    def add(self, ring: int) -> bool:
        at = int(self.view().searchsorted(np.uint32(ring)))
        if at < self._size and self._buffer[at] == ring:
            return False
        self._own_buffer(room=1)
        buffer = self._buffer
        buffer[at + 1 : self._size + 1] = buffer[at : self._size]
        buffer[at] = ring
        self._size += 1
        return True

    def remove(self, ring: int) -> None:
        at = int(self.view().searchsorted(np.uint32(ring)))
        self._own_buffer(room=0)
        self._buffer[at : self._size - 1] = self._buffer[at + 1 : self._size]
        self._size -= 1

    def _own_buffer(self, *, room: int) -> None:
        """Make the buffer writable, ours alone, and large enough for `room` more."""
        owned = self._buffer.base is None and self._buffer is not NOBODY
        if owned and self._size + room <= len(self._buffer):
            return
        grown = np.empty(self._size + self._size // 4 + 4, np.uint32)
        grown[: self._size] = self.view()
        self._buffer = grown


def _contains(rings: Rings, ring: int) -> bool:
    at = int(rings.searchsorted(np.uint32(ring)))
    return at < len(rings) and int(rings[at]) == ring


class GraphBuilder:
    """Collect edges in any order and chunks of any size, then make the graph of them.

    Edges wait packed in 8 bytes each (author above ring), because sorting plain 64-bit integers is
    the fastest grouping NumPy has. Blocks are sorted as they come in, so that this overlaps with
    reading them, and merged at the end; the lower halves are then folded into the same memory.
    Building holds at most 12 bytes per edge and one block.
    """

    def __init__(self, *, expected: int = 1 << 16) -> None:
        """Prepare for edges.

        Args:
            expected: Number of edges to make room for at first.
        """
        self._edges = np.empty(max(1, expected), np.uint64)
        self._size = 0
        self._sorted = 0

    def add(self, authors: npt.NDArray[np.integer], rings: npt.NDArray[np.integer]) -> None:
        """Add edges; those to numbers that are no user are left out.

        Args:
            authors: Who is followed.
            rings: By which ring, one per author.
        """
        users = authors > 0
        if not users.all():
            authors, rings = authors[users], rings[users]
        end = self._size + len(authors)
        if end > len(self._edges):
            # realloc moves page tables, not pages: growing large arrays costs nothing.
            self._edges.resize(max(end, len(self._edges) * 3 // 2), refcheck=False)
        packed = self._edges[self._size : end]
        packed[:] = authors
        packed <<= np.uint64(32)
        packed |= rings.astype(np.uint64)
        self._size = end
        if end - self._sorted >= BLOCK:
            self._sort_block()

    def build(self) -> FollowerGraph:
        """Return the graph and forget the edges."""
        self._sort_block()
        edges, self._edges = self._edges, np.empty(1, np.uint64)
        edges.resize(self._size, refcheck=False)
        self._size = self._sorted = 0
        if not len(edges):
            return FollowerGraph.empty()
        edges.sort(kind="stable")  # finds the sorted blocks and merges them
        starts = _starts(edges)
        return FollowerGraph(starts, _low_halves(edges))

    def _sort_block(self) -> None:
        self._edges[self._sorted : self._size].sort()
        self._sorted = self._size


def _starts(edges: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return where each author's edges begin in sorted ones, and the end."""
    highest = int(edges[-1] >> np.uint64(32))
    starts = np.empty(highest + 2, np.int64)
    for first in range(0, len(starts), BLOCK):
        authors = np.arange(first, min(first + BLOCK, len(starts)), dtype=np.uint64)
        starts[first : first + len(authors)] = edges.searchsorted(authors << np.uint64(32))
    return starts


def _low_halves(edges: npt.NDArray[np.uint64]) -> Rings:
    """Fold the low 32 bits of every edge into the front half of the same memory."""
    folded = edges.view(np.uint32)
    size = len(edges)
    for at in range(0, size, BLOCK):
        block = edges[at : at + BLOCK].astype(np.uint32)
        folded[at : at + len(block)] = block
    del folded
    edges.resize((size + 1) // 2, refcheck=False)
    return edges.view(np.uint32)[:size]
