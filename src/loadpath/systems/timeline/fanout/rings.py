"""Home timelines in shared memory: one writer appends to rings, any process reads them.

Exactly once, whatever moment the writer dies at: a post's slot is stored before its ring's state,
and the state, one 64-bit store, is the commit of that event in that ring. Events are offered
again after a crash, and a ring takes only those beyond the offset in its own state. So a batch
may die half applied: the rings that have an event skip it, the others take it.

Never a torn read: the writer changes only the `SLACK` slots that are not shown before it commits,
and a reader whose state changed while it copied copies again. A state never returns to an
earlier value, because its offset only grows. That holds for a rewritten ring too: it is `DIRTY`
meanwhile.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from loadpath.systems.timeline.fanout.fence import fence
from loadpath.systems.timeline.fanout.ringfile import (
    DIRTY,
    HEAD_BITS,
    HEAD_MASK,
    PAGE,
    SLACK,
    WORD,
    Geometry,
    Header,
    RingFile,
    Words,
)

CHUNK = 1 << 14
ATTEMPTS = 100
STATES_AT = PAGE // WORD

_HEAD_BITS = np.uint64(HEAD_BITS)
_HEAD_MASK = np.uint64(HEAD_MASK)


class Followers(Protocol):
    """Answer which rings an author's post goes to."""

    def followers(self, author: int, /) -> npt.NDArray[np.uint32]:
        """Return the unique rings that follow an author."""
        ...


class Timeline(NamedTuple):
    """Hold what a ring shows.

    Attributes:
        ids: Post ids, the one inserted last first (almost, but not exactly, sorted).
        full: Whether older posts may exist that the ring no longer holds.
    """

    ids: Words
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStats:
    """Say how a shard's writer is doing; counters start at 0 with the file.

    Attributes:
        applied: Log offset up to which every event is in the rings.
        events: Events applied, follows included.
        posts: Posts among them.
        inserts: Post ids stored in rings.
        batches: Batches applied.
        rebuilds: Rings written anew after a follow or unfollow.
        dirty: Rings that wait for that now.
        lag: Age of the last batch's oldest event when the batch was applied (s).
        heartbeat: When the writer was last alive (s since 1970).
        pid: Process id of the writer.
    """

    applied: int
    events: int
    posts: int
    inserts: int
    batches: int
    rebuilds: int
    dirty: int
    lag: float
    heartbeat: float
    pid: int


def stats_of(header: Words) -> RingStats:
    """Read the counters of a ring file.

    Args:
        header: Its header.
    """
    words = header.tolist()
    return RingStats(
        applied=words[Header.APPLIED],
        events=words[Header.EVENTS],
        posts=words[Header.POSTS],
        inserts=words[Header.INSERTS],
        batches=words[Header.BATCHES],
        rebuilds=words[Header.REBUILDS],
        dirty=words[Header.DIRTY_RINGS],
        lag=words[Header.LAG] / 1e6,
        heartbeat=words[Header.HEARTBEAT] / 1e6,
        pid=words[Header.PID],
    )


class RingTimelines:
    """Write the rings of one shard; only one process at a time may.

    Attributes:
        geometry: Which rings these are.
        header: The words of the file's header.
    """

    def __init__(self, file: RingFile) -> None:
        """Write to a mapped ring file.

        Args:
            file: The file, mapped for writing.
        """
        self.geometry = file.geometry
        self.header = file.header
        self._states = file.states
        self._slots = file.slots
        self._missed: dict[int, deque[tuple[int, int]]] = {}
        self._first_seen = np.zeros(len(file.states), np.int32)
        self._positions = np.arange(CHUNK, dtype=np.int32)
        self._rings = np.empty(CHUNK, np.int64)
        self._states_before = np.empty(CHUNK, np.uint64)

    def apply(self, offsets: Words, authors: Sequence[int], posts: Words, graph: Followers) -> int:
        """Store posts in the rings of their authors' followers, in this order.

        Rings that already have an event, and dirty ones, skip it.

        Args:
            offsets: Log offset of each post, ascending.
            authors: Who wrote it.
            posts: Its id.
            graph: Who follows the authors; it may name only rings of this file.

        Returns:
            Number of ids stored.
        """
        stored = held = first = 0
        rows: list[npt.NDArray[np.uint32]] = []
        for at, author in enumerate(authors):
            row = graph.followers(author)
            if rows and (held + len(row) > CHUNK or len(rows) == SLACK):
                stored += self._store(offsets[first:at], posts[first:at], rows)
                rows, held, first = [], 0, at
            if len(row) > CHUNK:
                for start in range(0, len(row), CHUNK):
                    piece = row[start : start + CHUNK]
                    stored += self._store(offsets[at : at + 1], posts[at : at + 1], [piece])
                first = at + 1
            else:
                rows.append(row)
                held += len(row)
        return stored + self._store(offsets[first:], posts[first:], rows)

    def offset_of(self, ring: int) -> int | None:
        """Return the offset up to which a ring has every event; None while it is dirty.

        Args:
            ring: Number of the ring.
        """
        state = int(self._states[ring])
        return None if state == DIRTY else state >> HEAD_BITS

    def dirty(self) -> list[int]:
        """Return the rings that wait to be rewritten."""
        found: list[int] = np.flatnonzero(self._states == np.uint64(DIRTY)).tolist()
        return found

    def mark_dirty(self, ring: int) -> None:
        """Take a ring out of service until it is rewritten.

        Args:
            ring: Number of the ring.
        """
        self._states[ring] = DIRTY

    def begin_rewrite(self, ring: int) -> None:
        """Remember from now on what a dirty ring misses; call it before reading the record.

        Args:
            ring: Number of the ring.
        """
        self._missed[ring] = deque(maxlen=self.geometry.length)

    def cancel_rewrite(self, ring: int) -> None:
        """Forget what a dirty ring missed: it stays dirty, another attempt starts anew.

        Args:
            ring: Number of the ring.
        """
        self._missed.pop(ring, None)

    def rewrite(self, ring: int, offset: int, posts: Words) -> None:
        """Put a dirty ring back into service.

        Args:
            ring: Number of the ring.
            offset: Log offset of the record's snapshot, not before `begin_rewrite`.
            posts: What the snapshot shows to this user, oldest first.
        """
        missed = [event for event in self._missed.pop(ring, ()) if event[0] > offset]
        shown = np.concatenate([posts, np.array([post for _, post in missed], np.uint64)])
        shown = shown[-self.geometry.length :]
        physical = self.geometry.physical
        row = self._slots[ring * physical : (ring + 1) * physical]
        row[: len(shown)] = shown
        row[len(shown) :] = 0
        fence()
        reached = missed[-1][0] if missed else offset
        self._states[ring] = reached << HEAD_BITS | len(shown)

    def commit_all(self, offset: int) -> None:
        """Declare that every ring has every event up to an offset.

        Args:
            offset: The log offset.
        """
        self._states &= _HEAD_MASK
        self._states |= np.uint64(offset << HEAD_BITS)

    def _store(self, offsets: Words, posts: Words, rows: list[npt.NDArray[np.uint32]]) -> int:
        """Store up to `SLACK` posts in at most `CHUNK` places: slots first, then the states."""
        counts = [len(row) for row in rows]
        size = sum(counts)
        if not size:
            return 0
        rings = np.concatenate(rows, out=self._rings[:size])
        commits = np.repeat(offsets << _HEAD_BITS, counts)
        ids = np.repeat(posts, counts)
        states = self._states.take(rings, out=self._states_before[:size], mode="clip")
        behind = states < commits
        if not behind.all():
            self._remember_missed(rings, states, commits, ids)
            rings, states = rings[behind], states[behind]
            commits, ids = commits[behind], ids[behind]
        heads = np.bitwise_and(states, _HEAD_MASK, out=states).view(np.int64)
        if len(rows) > 1:
            self._add_earlier_posts(heads, rings)
        self._write(rings, heads, commits, ids)
        return len(rings)

    def _write(
        self, rings: npt.NDArray[np.int64], heads: npt.NDArray[np.int64], commits: Words, ids: Words
    ) -> None:
        """Store ids at the heads and commit them; a ring named twice ends at its last commit."""
        physical = self.geometry.physical
        heads -= (heads >= physical) * physical
        self._slots[rings * physical + heads] = ids
        heads += 1
        heads -= (heads == physical) * physical
        commits |= heads.view(np.uint64)
        fence()
        self._states[rings] = commits

    def _add_earlier_posts(
        self, heads: npt.NDArray[np.int64], rings: npt.NDArray[np.int64]
    ) -> None:
        """Move the heads of rings that get several posts at once on by the posts before."""
        size = len(rings)
        positions = self._positions[:size]
        # Of several values for one place the last one stays: backwards, that is the first post.
        self._first_seen[rings[::-1]] = positions[::-1]
        later = np.flatnonzero(self._first_seen.take(rings) != positions)
        if not len(later):
            return
        order = rings[later].argsort(kind="stable")
        repeated = rings[later[order]]
        begins = np.zeros(len(repeated), np.int64)
        begins[1:] = np.where(repeated[1:] != repeated[:-1], positions[1 : len(repeated)], 0)
        np.maximum.accumulate(begins, out=begins)
        heads[later[order]] += positions[: len(repeated)] - begins + 1

    def _remember_missed(
        self, rings: npt.NDArray[np.int64], states: Words, commits: Words, ids: Words
    ) -> None:
        """Keep the posts that rings miss while they are being rewritten."""
        if not self._missed:
            return
        for at in np.flatnonzero(states == np.uint64(DIRTY)).tolist():
            missed = self._missed.get(int(rings[at]))
            if missed is not None:
                missed.append((int(commits[at]) >> HEAD_BITS, int(ids[at])))


class TimelineReader:
    """Read the rings of all shards, without a lock and without ever making the writers wait.

    `newest` never touches the file system; call `refresh` about once a second, in a thread where
    there is an event loop, so that files of writers that started later are found.
    """

    def __init__(self, folder: Path, *, shards: int, capacity: int, length: int) -> None:
        """Find the ring files that exist by now.

        Args:
            folder: Where the ring files are.
            shards: Number of shards.
            capacity: Highest user id that has a ring.
            length: Posts that a ring shows.
        """
        self._folder = folder
        self._capacity = capacity
        self._geometries = [
            Geometry(shard=shard, shards=shards, capacity=capacity, length=length)
            for shard in range(shards)
        ]
        self._shards: list[_ShardReader | None] = [None] * shards
        self.refresh()

    @property
    def complete(self) -> bool:
        """Whether every shard's rings can be read."""
        return all(shard is not None and shard.current for shard in self._shards)

    def refresh(self) -> bool:
        """Open ring files that were made or replaced since the last time (blocks on the disk).

        Returns:
            Whether every shard's rings can be read.
        """
        for number, (shard, geometry) in enumerate(
            zip(self._shards, self._geometries, strict=True)
        ):
            if shard is None or not shard.current:
                file = RingFile.open(self._folder, geometry)
                self._shards[number] = None if file is None else _ShardReader(file)
        return self.complete

    def newest(self, user_id: int) -> Timeline | None:
        """Return what a user's ring shows; None means that the record must be asked.

        Args:
            user_id: The user.
        """
        if user_id > self._capacity:
            return None
        ring, number = divmod(user_id, len(self._shards))
        shard = self._shards[number]
        return None if shard is None else shard.newest(ring)

    def stats(self, shard: int) -> RingStats | None:
        """Return the counters of a shard's writer; None while it has no rings.

        Args:
            shard: Number of the shard.
        """
        reader = self._shards[shard]
        return None if reader is None else stats_of(reader.header)


class _ShardReader:
    """Read the rings of one file."""

    def __init__(self, file: RingFile) -> None:
        geometry = file.geometry
        self.header = file.header
        self._words = file.words
        self._slots = file.slots.reshape(geometry.rings, geometry.physical)
        self._length = geometry.length
        self._physical = geometry.physical
        self._rings = geometry.rings
        # From `physical - head` on, this lists the slots of a ring, the one before its head first.
        self._newest_first = np.arange(2 * geometry.physical)[::-1] % geometry.physical

    @property
    def current(self) -> bool:
        """Whether the writer still writes to this file."""
        return self._words[Header.RETIRED] == 0

    def newest(self, ring: int) -> Timeline | None:
        words = self._words
        if not 0 <= ring < self._rings or words[Header.RETIRED]:
            return None
        length, at = self._length, STATES_AT + ring
        slots = self._slots[ring]
        for _ in range(ATTEMPTS):
            state = words[at]
            if state == DIRTY:
                return None
            start = self._physical - (state & HEAD_MASK)
            fence()
            ids = slots.take(self._newest_first[start : start + length])
            fence()
            if words[at] == state:
                break
        else:
            return None
        if ids[-1]:
            return Timeline(ids, full=True)
        return Timeline(ids[: np.count_nonzero(ids)], full=False)
