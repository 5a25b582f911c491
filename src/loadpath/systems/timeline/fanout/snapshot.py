"""Read what a writer starts from: the graph and the newest posts, as of one offset of the log.

Both arrive as binary COPY streams and go straight into arrays, so 40 million edges take 8 bytes
each on the way and no Python object.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self

import asyncpg
import numpy as np

from loadpath.systems.timeline.fanout.graph import FollowerGraph, GraphBuilder
from loadpath.systems.timeline.fanout.log import LogPosition, position
from loadpath.systems.timeline.fanout.ringfile import Geometry, Words
from loadpath.systems.timeline.fanout.rings import RingTimelines
from loadpath.systems.timeline.record.columns import BinaryGroups, BinaryRows
from loadpath.systems.timeline.record.outage import connected
from loadpath.systems.timeline.record.transaction import ONE_MOMENT, transaction

LOAD_TIMEOUT: Final = 3600.0
PIECE: Final = 1 << 23
INT4, INT8 = 4, 8

# One row per follower: several workers share the counting, and a fifth of the bytes travel. Each
# condition on every edge would cost as much as the rest.
_FOLLOWEES = """
SELECT follower_id, string_agg(int4send(followee_id), '') FROM follows
WHERE follower_id BETWEEN 1 AND $1 GROUP BY follower_id
"""

_FOLLOWEES_OF_SHARD = """
SELECT follower_id, string_agg(int4send(followee_id), '') FROM follows
WHERE follower_id BETWEEN 1 AND $1 AND follower_id % $2 = $3 GROUP BY follower_id
"""

_NEWEST_POSTS = """
SELECT users.id, newest.id FROM users CROSS JOIN LATERAL (
    SELECT posts.id FROM posts WHERE posts.author_id = users.id ORDER BY posts.id DESC LIMIT $1
) AS newest ORDER BY newest.id
"""


class Snapshot:
    """Read the record as it was at one moment; made by `Snapshot.of`.

    Attributes:
        position: Which log it belongs to and the last offset that it contains.
    """

    def __init__(self, connection: asyncpg.Connection, found: LogPosition) -> None:
        self._connection = connection
        self.position = found

    @classmethod
    @asynccontextmanager
    async def of(cls, dsn: str) -> AsyncIterator[Self]:
        """Take a snapshot that lasts until the block ends.

        Args:
            dsn: Where the record is.
        """
        async with (
            connected(dsn) as connection,
            transaction(connection, begin=ONE_MOMENT),
        ):
            yield cls(connection, await position(connection))

    async def users(self) -> int:
        """Return the highest user id, 0 when there is nobody."""
        highest: int = await self._connection.fetchval("SELECT coalesce(max(id), 0) FROM users")
        return highest

    async def graph(self, geometry: Geometry) -> FollowerGraph:
        """Return who follows whom among the users that have a ring.

        Args:
            geometry: Which users those are.
        """
        builder, groups = GraphBuilder(), BinaryGroups()

        def add(data: bytes) -> None:
            followers, followees = groups.feed(data)
            builder.add(followees, followers // geometry.shards)

        if geometry.shards == 1:
            await self._copy(_FOLLOWEES, (geometry.capacity,), add)
        else:
            chosen = (geometry.capacity, geometry.shards, geometry.shard)
            await self._copy(_FOLLOWEES_OF_SHARD, chosen, add)
        groups.close()
        return await asyncio.to_thread(builder.build)

    async def fill(self, rings: RingTimelines, graph: FollowerGraph) -> None:
        """Show in empty rings what their users should see in this snapshot.

        The posts are replayed in the order of their ids, as if each had been an event of the log.

        Args:
            rings: The rings.
            graph: Who follows whom in this snapshot.
        """
        posts, replayed = BinaryRows(INT4, INT8), 0

        def replay(data: bytes) -> None:
            nonlocal replayed
            rows = posts.feed(data)
            offsets: Words = np.arange(replayed + 1, replayed + 1 + len(rows), dtype=np.uint64)
            replayed += len(rows)
            rings.apply(offsets, rows["f0"].tolist(), rows["f1"].astype(np.uint64), graph)

        # Statistics may still say that posts are few; one index scan per author is always right.
        await self._connection.execute("SET LOCAL enable_seqscan = off")
        await self._copy(_NEWEST_POSTS, (rings.geometry.length,), replay)
        posts.close()
        rings.commit_all(self.position.last)

    async def _copy(
        self, query: str, arguments: tuple[int, ...], consume: Callable[[bytes], None]
    ) -> None:
        """Stream a query's rows through `consume`, which runs in a thread while more arrive."""
        pieces = _Pieces(consume)
        await self._connection.copy_from_query(
            query, *arguments, output=pieces.add, format="binary", timeout=LOAD_TIMEOUT
        )
        await pieces.finish()


class _Pieces:
    """Consume a stream in large pieces, one after the other; at most two are in memory."""

    def __init__(self, consume: Callable[[bytes], None]) -> None:
        self._consume = consume
        self._held: list[bytes] = []
        self._size = 0
        self._work: asyncio.Task[None] | None = None

    async def add(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size >= PIECE:
            await self._hand_over()

    async def finish(self) -> None:
        await self._hand_over()
        await self._done()

    async def _hand_over(self) -> None:
        await self._done()
        piece, self._held, self._size = b"".join(self._held), [], 0
        self._work = asyncio.create_task(asyncio.to_thread(self._consume, piece))

    async def _done(self) -> None:
        if self._work is not None:
            await self._work
