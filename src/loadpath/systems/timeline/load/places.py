"""Compare what rings hold with what the record says they must hold: arrays in, counts out.

A place is one post in one user's timeline. Both sides are turned into sorted keys
(user, rank of the post), so that hundreds of millions of places are compared without a loop.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

PLACES_PER_CHUNK = 4_000_000
INVERSION = 10_000 << 22
"""Post ids that differ by less may be in another order in the log (10 s of Snowflake time)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Hold what the record says.

    Attributes:
        posts: Ids of all posts, ascending.
        authors: Who wrote each.
        edges: `follower << 32 | followee` of all follows of these authors, ascending.
    """

    posts: Ids
    authors: Ids
    edges: Ids


@dataclass(slots=True)
class Found:
    """Count what was found; see `AuditReport` for what the kinds mean.

    Attributes:
        pairs: Places that were compared.
        rings: Rings that were compared.
        missing: Places that should hold a post and do not.
        repeated: Places whose post the ring holds already.
        foreign: Places whose post is of somebody whom the owner does not follow.
        unready: Rings that are being rewritten.
        newer: Ids in rings that are newer than the newest post of the record as it was read.
        unknown: Places whose post is not newer and not in the record.
    """

    pairs: int = 0
    rings: int = 0
    missing: int = 0
    repeated: int = 0
    foreign: int = 0
    unready: int = 0
    unknown: int = 0
    newer: set[int] = field(default_factory=set)


class Places:
    """Know which places the record asks for.

    Args:
        truth: What the record says.
        length: Posts that a ring shows.
    """

    def __init__(self, truth: Truth, *, length: int) -> None:
        self._truth = truth
        self._length = length
        order = np.argsort(truth.authors, kind="stable")
        self._by_author = order  # ranks of posts, author by author
        authors = truth.authors[order]
        followees = truth.edges & 0xFFFF_FFFF
        self._first = np.searchsorted(authors, followees, "left")
        self._count = np.searchsorted(authors, followees, "right") - self._first
        self._followers = truth.edges >> 32
        self._sums = np.concatenate([[0], np.cumsum(self._count)])

    def ranges(self, last: int, *, rings: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of user ids `[first, end)`, small enough to compare at once.

        Args:
            last: Highest user id.
            rings: Most users of one range.
        """
        first = 1
        while first <= last:
            edge = np.searchsorted(self._followers, first)
            far = np.searchsorted(self._sums, self._sums[edge] + PLACES_PER_CHUNK)
            reached = int(self._followers[far]) if far < len(self._followers) else last + 1
            end = min(max(first + 1, min(reached, first + rings)), last + 1)
            yield first, end
            first = end

    def wanted(self, first: int, end: int) -> Ids:
        """Return the keys of all places of users `[first, end)`, ascending."""
        low, high = np.searchsorted(self._followers, [first, end])
        counts = self._count[low:high]
        users = np.repeat(self._followers[low:high], counts)
        starts = np.repeat(self._first[low:high], counts)
        within = np.arange(len(users)) - np.repeat(self._sums[low:high] - self._sums[low], counts)
        keys: Ids = users * len(self._truth.posts) + self._by_author[starts + within]
        keys.sort()
        return keys

    def compare(self, first: int, end: int, users: Ids, held: Ids, found: Found) -> None:
        """Compare what the rings of users `[first, end)` show with what they should.

        Args:
            first: First user id.
            end: User id after the last.
            users: Owner of each shown post.
            held: Id of each shown post, in the same order.
            found: Where to count.
        """
        posts = self._truth.posts
        rank = np.searchsorted(posts, held)
        newer = rank == len(posts)
        known = ~newer
        known[known] = posts[rank[known]] == held[known]
        found.newer.update(np.unique(held[newer]).tolist())
        found.unknown += int((~known & ~newer).sum())
        keys = np.sort(users[known] * len(posts) + rank[known])
        fresh = np.ones(len(keys), np.bool_)
        fresh[1:] = keys[1:] != keys[:-1]
        found.repeated += int((~fresh).sum())
        keys = keys[fresh]
        wanted = self.wanted(first, end)
        found.pairs += len(wanted)
        if len(wanted) != len(keys) or not np.array_equal(wanted, keys):
            found.foreign += len(keys) - int(_contained(keys, wanted).sum())
            missing = wanted[~_contained(wanted, keys)]
            found.missing += self._not_outlived(missing, keys, first, end)

    def _not_outlived(self, missing: Ids, keys: Ids, first: int, end: int) -> int:
        """Count missing places that cannot be explained by a full ring that dropped its oldest."""
        size = len(self._truth.posts)
        shown = np.bincount(keys // size - first, minlength=end - first)
        begins = np.concatenate([[0], np.cumsum(shown)])[:-1]
        owner = missing // size - first
        full = shown[owner] >= self._length
        oldest = keys[np.minimum(begins[owner], max(0, len(keys) - 1))] % size if len(keys) else 0
        posts = self._truth.posts
        dropped = full & (posts[missing % size] < posts[oldest] + INVERSION)
        return int((~dropped).sum())


def shown(states: NDArray[np.uint64], slots: Ids, *, length: int) -> tuple[Ids, Ids]:
    """Return row and id of every post that rings show.

    Args:
        states: State of each ring; its low 16 bits are the slot that the next post goes to.
        slots: The rings' slots, a row each.
        length: Posts that a ring shows.
    """
    row, column = np.nonzero(slots)
    head = (states & np.uint64(0xFFFF)).astype(np.int64)
    age = (head[row] - 1 - column) % slots.shape[1]
    visible = age < length
    row = row[visible]
    return row, slots[row, column[visible]]


def _contained(keys: Ids, among: Ids) -> NDArray[np.bool_]:
    """Tell which keys are among others, both ascending."""
    if not len(among):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(among, keys), len(among) - 1)
    contained: NDArray[np.bool_] = among[at] == keys
    return contained
