"""Keep writes in a table of PostgreSQL, which may be the database that they are for.

A write is acknowledged once it is committed, to disk whatever the session says. The cache holds it
from then on; when the database has it, the entry goes once more, so that what readers loaded from
the old row meanwhile does not stay.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec

from loadpath.cache.coalesce import Write
from loadpath.cache.codec import encode_value
from loadpath.cache.database import Database, asyncpg, checked_table
from loadpath.cache.errors import TooManyWritesError
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.queue import Queued, checked_limits

SCHEMA = (files("loadpath.cache") / "write_queue.sql").read_text("utf-8")


class PostgresQueue:
    """Keep writes in a table.

    Args:
        pool: An asyncpg pool, which stays the caller's; behind a transaction pooler make it with
            `statement_cache_size=0`.
        table: The queue's table, perhaps with its schema; two queues have two.
        max_queued: Most writes in the queue; more are refused. Numbers count from the oldest to
            the newest, so that gaps of writes rolled back count, too.
        max_dead: Most dead letters; beyond it the queue stands still.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        table: str = "loadpath_writes",
        max_queued: int = 100_000,
        max_dead: int = 10_000,
    ) -> None:
        self._max_queued, self._max_dead = checked_limits(max_queued, max_dead)
        self._table = checked_table(table)
        self._database = Database(pool)

    async def install(self) -> None:
        """Create the tables; safe at every start.

        Raises:
            asyncpg.PostgresError: The database refused; nothing was changed.
        """
        name = self._table.rpartition(".")[2]
        await self._database.install(SCHEMA.replace("{table}", self._table).replace("{name}", name))

    async def put(self, cache: MultiLayerCache, key: str, value: Any) -> int:
        """Commit a write, let the cache hold it, and return its version.

        Raises:
            TooManyWritesError: The queue is full; nothing was written.
            NotStorableError: The value cannot be sent.
            NotOpenError: The cache is not open.
            DatabaseUnavailableError: Nothing was written.
            DatabaseInDoubtError: It may have been written; writing it again is safe.
        """
        body, version = encode_value(value), 0

        async def save(_: Any) -> None:
            nonlocal version
            ((drawn,),) = await self._ask(
                "SELECT {table}_put($1, $2, $3)", key.encode(), body, self._max_queued
            )
            if drawn is None:
                raise TooManyWritesError(self._max_queued)
            version = drawn

        await cache.write_through(key, value, save)
        return version

    async def own(self, token: str, *, lease: float) -> bool:
        """Ask to be the one that applies, for `lease` seconds; 0 gives it up."""
        if not lease:
            return bool(
                await self._ask("DELETE FROM {table}_owner WHERE token = $1 RETURNING one", token)
            )
        return bool(
            await self._ask(
                "INSERT INTO {table}_owner AS o (token, expires)"
                " VALUES ($1, clock_timestamp() + make_interval(secs => $2))"
                " ON CONFLICT (one) DO UPDATE SET token = excluded.token, expires ="
                " excluded.expires WHERE o.token = excluded.token OR o.expires <= clock_timestamp()"
                " RETURNING one",
                token,
                lease,
            )
        )

    async def oldest(self, count: int) -> Sequence[Queued]:
        """Return the writes that have waited longest."""
        rows = await self._ask("SELECT id, key, value FROM {table} ORDER BY id LIMIT $1", count)
        return [Queued(row["id"], _write(row)) for row in rows]

    async def done(self, cache: MultiLayerCache, found: Sequence[Queued]) -> None:
        """Remove writes that the database has, and entries that no later write is for."""
        await self._forget(cache, found)
        await self._ask("DELETE FROM {table} WHERE id = ANY($1)", [one.id for one in found])

    async def bury(self, cache: MultiLayerCache, one: Queued, why: str) -> None:
        """Make a write a dead letter, and remove its entry, which the database will not have.

        Raises:
            TooManyWritesError: There are as many dead letters as there may be.
        """
        await self._forget(cache, [one])
        moved = await self._ask(
            "WITH moved AS (DELETE FROM {table} WHERE id = $1"
            " AND (SELECT count(*) FROM {table}_dead) < $3 RETURNING id, key, value)"
            " INSERT INTO {table}_dead SELECT id, key, value, $2 FROM moved RETURNING id",
            one.id,
            why.replace("\0", " "),
            self._max_dead,
        )
        if not moved and await self._ask("SELECT FROM {table} WHERE id = $1", one.id):
            raise TooManyWritesError(self._max_dead)

    async def length(self) -> int:
        """Return how many writes wait."""
        ((waiting,),) = await self._ask("SELECT count(*) FROM {table}")
        return int(waiting)

    async def dead_letters(self, count: int) -> list[tuple[Write, str]]:
        """Return the oldest dead letters, each with the reason."""
        rows = await self._ask("SELECT * FROM {table}_dead ORDER BY id LIMIT $1", count)
        return [(_write(row), row["why"]) for row in rows]

    async def forget_dead_letters(self) -> None:
        """Remove every dead letter."""
        await self._ask("DELETE FROM {table}_dead")

    async def _forget(self, cache: MultiLayerCache, found: Sequence[Queued]) -> None:
        keys = {one.write.key.encode(): one.write.key for one in found}
        later = await self._ask(
            "SELECT DISTINCT key FROM {table} WHERE key = ANY($1) AND id > $2",
            list(keys),
            max(one.id for one in found),
        )
        for row in later:
            del keys[row["key"]]
        await cache.delete(*keys.values())

    async def _ask(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self._database.ask(query.replace("{table}", self._table), *arguments)


def _write(row: asyncpg.Record) -> Write:
    return Write(row["key"].decode(), msgspec.msgpack.decode(row["value"]), row["id"])
