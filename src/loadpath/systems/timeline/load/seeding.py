"""Put a generated graph into the record, as fast as PostgreSQL takes it.

One transaction: all of it is there, or nothing. The table is emptied and its key dropped within
that transaction, so PostgreSQL need not log what it can instead write to disk before the commit
(`wal_level=minimal`), and the key is built once, over sorted rows. Rows are encoded by NumPy
while the server takes the chunk before.

Running writers learn of it as of a log whose entries are gone: the record says that it was
trimmed, and everybody has to connect again, so the writers see that and start over from the record.

Source: PostgreSQL documentation, "Populating a Database".
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import msgspec

from loadpath.core.errors import LoadpathError
from loadpath.systems.timeline.load.copying import HEADER, TRAILER, encode_pairs
from loadpath.systems.timeline.load.population import Edges, Population, chunks
from loadpath.systems.timeline.record.transaction import transaction

PIECE = 1 << 18
USERS_PER_PIECE = 20_000
LOOK_EVERY = 0.2


_CONNECT_AGAIN = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_WRITERS_BEHIND = """
SELECT count(*) FROM fanout_progress, record_identity WHERE applied < trimmed
"""


class OtherGraphError(LoadpathError, ValueError):
    """Refuse to put a graph into a record that holds something else."""


class Seeding(msgspec.Struct, frozen=True, kw_only=True):
    """Hold how far the graph is in the record.

    Attributes:
        step: What is being done: "users", "follows", "key", "statistics" or "done".
        users: Users of the graph.
        edges: Follows sent so far.
        expected: Follows that the whole graph will have, roughly.
        seconds: Since the beginning (s).
        reused: Whether the record had this graph already.
    """

    step: str
    users: int
    edges: int
    expected: int
    seconds: float
    reused: bool = False


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Say which graph a record holds; kept as the comment of the table `follows`."""

    users: int
    followers: float
    seed: int
    alpha: float
    celebrity: float
    edges: int = 0

    @classmethod
    def of(cls, population: Population, edges: int) -> "_Mark":
        return cls(
            users=population.users,
            followers=population.followers,
            seed=population.seed,
            alpha=population.alpha,
            celebrity=population.celebrity,
            edges=edges,
        )


OnSeeding = Callable[[Seeding], None]


async def seed(dsn: str, population: Population, on_progress: OnSeeding) -> Seeding:
    """Put users and follows into an empty record; the same graph already there is reused.

    Args:
        dsn: Where the record is; its schema must be there.
        population: The graph.
        on_progress: Called after every chunk.

    Raises:
        OtherGraphError: The record holds users or follows that are not this graph.
        asyncpg.PostgresError: The record refused; nothing of the graph is there.
    """
    connection = await asyncpg.connect(dsn, server_settings={"maintenance_work_mem": "256MB"})
    try:
        return await _Seeder(connection, population, on_progress).seed()
    finally:
        connection.terminate()


async def writers_ready(dsn: str, *, patience: float = 600.0) -> bool:
    """Wait until the running writers have started over from the record after a bulk load.

    Args:
        dsn: Where the record is.
        patience: Seconds to wait.

    Returns:
        Whether they have.
    """
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        connection = await asyncpg.connect(dsn)
        try:
            if not await connection.fetchval(_WRITERS_BEHIND):
                return True
        finally:
            connection.terminate()
        await asyncio.sleep(LOOK_EVERY)
    return False


class _Seeder:
    def __init__(
        self, connection: asyncpg.Connection, population: Population, on_progress: OnSeeding
    ) -> None:
        self._connection = connection
        self._population = population
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._edges = 0

    async def seed(self) -> Seeding:
        async with transaction(self._connection):
            await self._connection.execute("LOCK TABLE users, follows IN EXCLUSIVE MODE")
            known = await self._known()
            if known is not None:
                self._edges = known
                return self._tell("done", reused=True)
            await self._add_users()
            await self._add_follows()
            await self._add_key()
            await self._leave_mark()
        self._tell("statistics")
        await self._connection.execute("ANALYZE users, follows")
        await self._connection.execute(_CONNECT_AGAIN)
        return self._tell("done")

    def _tell(self, step: str, *, reused: bool = False) -> Seeding:
        progress = Seeding(
            step=step,
            users=self._population.users,
            edges=self._edges,
            expected=self._population.edges,
            seconds=time.monotonic() - self._began,
            reused=reused,
        )
        self._on_progress(progress)
        return progress

    async def _known(self) -> int | None:
        """Return the edges of this graph if it is there already, None if the record is empty."""
        comment = await self._connection.fetchval(
            "SELECT obj_description('follows'::regclass, 'pg_class')"
        )
        if comment is not None:
            mark = msgspec.json.decode(comment, type=_Mark)
            if mark == _Mark.of(self._population, mark.edges):
                return mark.edges
            raise OtherGraphError(
                f"the record holds another graph ({mark.users:,} users, {mark.followers:g} "
                f"followers, seed {mark.seed}): ask for that one, or use an empty database"
            )
        if await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM follows)"
        ):
            raise OtherGraphError(
                "the record holds users or follows that no load run made, such as those who signed "
                "up on the page: load another system, started by `loadpath up timeline --data "
                "OTHER-FOLDER --port OTHER-PORT`, or use an empty database"
            )
        return None

    async def _add_users(self) -> None:
        self._tell("users")
        await self._connection.copy_to_table(
            "users", columns=["id", "name"], source=_user_rows(self._population.users)
        )
        await self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('users', 'id'), $1)", self._population.users
        )

    async def _add_follows(self) -> None:
        self._tell("follows")
        await self._connection.execute("TRUNCATE follows")
        await self._connection.execute("ALTER TABLE follows DROP CONSTRAINT follows_pkey")
        await self._connection.copy_to_table(
            "follows", source=self._follows(), format="binary", freeze=True
        )

    async def _add_key(self) -> None:
        self._tell("key")
        await self._connection.execute(
            "ALTER TABLE follows ADD CONSTRAINT follows_pkey PRIMARY KEY (follower_id, followee_id)"
        )

    async def _leave_mark(self) -> None:
        mark = msgspec.json.encode(_Mark.of(self._population, self._edges)).decode()
        quoted = await self._connection.fetchval("SELECT quote_literal($1::text)", mark)
        await self._connection.execute(f"COMMENT ON TABLE follows IS {quoted}")
        # Under the lock that all offsets are drawn under, so that none before is still to come.
        await self._connection.execute("LOCK TABLE outbox IN EXCLUSIVE MODE")
        await self._connection.execute(
            "UPDATE record_identity SET trimmed = "
            "nextval(pg_get_serial_sequence('outbox', 'offset'))"
        )

    async def _follows(self) -> AsyncIterator[bytes]:
        made = chunks(self._population)
        ahead = asyncio.create_task(asyncio.to_thread(_encode_next, made))
        yield HEADER
        try:
            while (chunk := await ahead) is not None:
                ahead = asyncio.create_task(asyncio.to_thread(_encode_next, made))
                edges, rows = chunk
                for start in range(0, len(rows), PIECE):
                    yield rows[start : start + PIECE]
                self._edges += len(edges)
                self._tell("follows")
        finally:
            await asyncio.wait([ahead])  # a thread cannot be stopped, but its chunk is short
        yield TRAILER


def _encode_next(made: Iterator[Edges]) -> tuple[Edges, bytes] | None:
    chunk = next(made, None)
    return None if chunk is None else (chunk, encode_pairs(chunk.followers, chunk.followees))


async def _user_rows(users: int) -> AsyncIterator[bytes]:
    for first in range(1, users + 1, USERS_PER_PIECE):
        last = min(first + USERS_PER_PIECE, users + 1)
        yield "".join(f"{user}\tuser_{user}\n" for user in range(first, last)).encode()
        await asyncio.sleep(0)
