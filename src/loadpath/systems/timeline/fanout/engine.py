"""What fan-out does with the log: posts go to rings at once, follows rewrite the follower's ring.

The events of one batch need not be taken one by one. Follows come first: they change the graph and
take the followers' rings out of service, and a ring out of service takes no part in the rest.
Then all posts are stored in log order. A ring that is out of service is rewritten from a snapshot
of the record. The snapshot shows everything up to some offset of the log, which the writer may
not have reached yet (the ring then skips what it already has) or has passed meanwhile (the posts
that the ring missed since are remembered from before the snapshot was taken). If its user followed
somebody else meanwhile, after the snapshot, it is done again.

So every ring always holds exactly the events up to the offset in its own state, although each
may be at another one, and although the graph, which is loaded at start, is ahead of the log when
events are replayed after a crash: a follow whose effect came too early is still to come in the log
and will rewrite the ring. (Replaying it on that graph changes nothing in the end: what counts for
a pair of users is the last event.)
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from loadpath.systems.timeline.fanout.fence import fence
from loadpath.systems.timeline.fanout.graph import FollowerGraph
from loadpath.systems.timeline.fanout.ringfile import Header, Words
from loadpath.systems.timeline.fanout.rings import RingTimelines

POST, FOLLOW, UNFOLLOW = 1, 2, 3


class LogBatch(NamedTuple):
    """Hold consecutive events of the log, one value per event in each array.

    Attributes:
        offsets: Places in the log, ascending.
        kinds: `POST`, `FOLLOW` or `UNFOLLOW`.
        actors: Author or follower.
        subjects: Post id or followee.
        created: When the first event was written (s since 1970).
    """

    offsets: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.int16]
    actors: npt.NDArray[np.int32]
    subjects: npt.NDArray[np.int64]
    created: float

    @classmethod
    def of(cls, events: Sequence[tuple[int, int, int, int]], *, created: float = 0.0) -> Self:
        """Make a batch of (offset, kind, actor, subject) events.

        Args:
            events: The events, in log order.
            created: When the first was written (s since 1970).
        """
        columns = np.array(events, np.int64).reshape(-1, 4).T
        return cls(
            columns[0],
            columns[1].astype(np.int16),
            columns[2].astype(np.int32),
            columns[3],
            created,
        )


class Rewrite(NamedTuple):
    """Hold what a snapshot of the record shows to one user.

    Attributes:
        user: The user.
        offset: The last log offset that the snapshot contains.
        posts: Ids of the newest posts of those whom the user follows, oldest first.
    """

    user: int
    offset: int
    posts: Words


class FanoutEngine:
    """Apply the log to the rings of one shard; no clock, no connection."""

    def __init__(self, rings: RingTimelines, graph: FollowerGraph) -> None:
        """Go on where the rings were left.

        Args:
            rings: The rings; those that are dirty wait to be rewritten.
            graph: Who follows whom among the users of this shard, as of any offset from the
                applied one on.
        """
        self._rings = rings
        self._geometry = rings.geometry
        self._header = rings.header
        self._graph = graph
        self._waiting: dict[int, None] = dict.fromkeys(rings.dirty())
        self._rewriting: dict[int, int] = {}
        self._count_dirty()

    @property
    def applied(self) -> int:
        """Log offset up to which every event was applied."""
        return int(self._header[Header.APPLIED])

    @property
    def waiting(self) -> int:
        """Number of rings that wait to be rewritten and are not in work."""
        return len(self._waiting)

    def apply(self, batch: LogBatch, *, now: float) -> None:
        """Apply the next events of the log; events that were applied before change nothing.

        Args:
            batch: The events.
            now: Time of day (s since 1970), for the lag.
        """
        if not len(batch.offsets):
            return
        is_post = batch.kinds == POST
        if not is_post.all():
            self._apply_follows(batch, np.flatnonzero(~is_post).tolist())
            offsets, actors = batch.offsets[is_post], batch.actors[is_post]
            posts = batch.subjects[is_post]
        else:
            offsets, actors, posts = batch.offsets, batch.actors, batch.subjects
        inserts = self._rings.apply(
            offsets.astype(np.uint64), actors.tolist(), posts.astype(np.uint64), self._graph
        )
        self._count(events=len(batch.offsets), posts=len(posts), inserts=inserts)
        self._header[Header.LAG] = max(0, int((now - batch.created) * 1e6))
        fence()
        self._header[Header.APPLIED] = batch.offsets[-1]

    def begin_rewrites(self, limit: int) -> list[int]:
        """Return users whose rings are to be read from the record now, each once.

        Call it before the record's snapshot is taken, and end each with `finish_rewrite` or
        `give_back`.

        Args:
            limit: Most users.
        """
        chosen = list(self._waiting)[:limit]
        for ring in chosen:
            del self._waiting[ring]
            self._rewriting[ring] = 0
            self._rings.begin_rewrite(ring)
        return [self._user(ring) for ring in chosen]

    def finish_rewrite(self, rewrite: Rewrite) -> bool:
        """Put a ring back into service; False when it has to be read once more.

        Args:
            rewrite: What the record shows to the user.
        """
        ring = rewrite.user // self._geometry.shards
        needed = self._rewriting[ring]
        if rewrite.offset < needed:
            self.give_back([rewrite.user])
            return False
        del self._rewriting[ring]
        self._rings.rewrite(ring, rewrite.offset, rewrite.posts)
        self._header[Header.REBUILDS] += np.uint64(1)
        self._count_dirty()
        return True

    def give_back(self, users: Sequence[int]) -> None:
        """Let rings wait again whose users could not be read.

        Args:
            users: Users that `begin_rewrites` returned.
        """
        for user in users:
            ring = user // self._geometry.shards
            if self._rewriting.pop(ring, None) is not None:
                self._rings.cancel_rewrite(ring)
                self._waiting[ring] = None

    def _apply_follows(self, batch: LogBatch, places: list[int]) -> None:
        for at in places:
            follower = int(batch.actors[at])
            if follower % self._geometry.shards != self._geometry.shard:
                continue
            followee = int(batch.subjects[at])
            if 0 < follower <= self._geometry.capacity and followee > 0:
                self._apply_follow(int(batch.offsets[at]), int(batch.kinds[at]), follower, followee)

    def _apply_follow(self, offset: int, kind: int, follower: int, followee: int) -> None:
        ring = follower // self._geometry.shards
        change = self._graph.follow if kind == FOLLOW else self._graph.unfollow
        change(followee, ring)
        reached = self._rings.offset_of(ring)
        if reached is not None and reached >= offset:
            return
        self._rings.mark_dirty(ring)
        if ring in self._rewriting:
            self._rewriting[ring] = offset
        else:
            self._waiting[ring] = None
        self._count_dirty()

    def _user(self, ring: int) -> int:
        return ring * self._geometry.shards + self._geometry.shard

    def _count(self, *, events: int, posts: int, inserts: int) -> None:
        header = self._header
        header[Header.EVENTS] += np.uint64(events)
        header[Header.POSTS] += np.uint64(posts)
        header[Header.INSERTS] += np.uint64(inserts)
        header[Header.BATCHES] += np.uint64(1)

    def _count_dirty(self) -> None:
        self._header[Header.DIRTY_RINGS] = len(self._waiting) + len(self._rewriting)
