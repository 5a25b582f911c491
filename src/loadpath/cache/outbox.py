"""Invalidate after the commit even if the process dies in between.

What a transaction makes invalid is committed with it, as a row. Who committed invalidates at once
and removes the row; what is left of a process that died, every other one does a little later.
Guide: chapter 5, where an invalidation is lost with its process.

Source: the transactional outbox (C. Richardson, Microservices Patterns, 2018).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from random import Random
from typing import Any, Self

from loadpath.cache.commit import AfterCommit
from loadpath.cache.database import Database, asyncpg, checked_table
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.core.backoff import Backoff
from loadpath.core.errors import LoadpathError

SCHEMA = (files("loadpath.cache") / "outbox.sql").read_text("utf-8")


class InvalidationOutbox:
    """Keep invalidations beside the data until the cache has heard them, as a context manager.

    Entries of rows that a dead process changed stay for `delay` and one `interval` at most, while
    a process with an open outbox, the database and the shared layer are there.

    Args:
        cache: The cache, open for as long as this is.
        pool: An asyncpg pool, which stays the caller's.
        table: The outbox's table, perhaps with its schema.
        delay: Age at which a row counts as left behind (s).
        interval: How often rows left behind are looked for (s).
        batch: Most rows taken at once.
    """

    def __init__(
        self,
        cache: MultiLayerCache,
        pool: asyncpg.Pool,
        *,
        table: str = "loadpath_invalidations",
        delay: float = 2.0,
        interval: float = 1.0,
        batch: int = 500,
    ) -> None:
        if batch < 1 or not delay >= 0 or not interval > 0:
            raise ValueError(
                "batch must be at least 1, delay at least 0 s, interval above 0 s, "
                f"not {batch}, {delay}, {interval}"
            )
        self._cache = cache
        self._pool = pool
        self._table = checked_table(table)
        self._database = Database(pool)
        self._delay = delay
        self._interval = interval
        self._batch = batch
        self._backoff = Backoff(base=interval, cap=max(30.0, interval), jitter="equal")
        self._random = Random()  # noqa: S311 - spreads tries, guards nothing
        self._task: asyncio.Task[None] | None = None
        self.drained = 0
        self.failures = 0

    async def install(self) -> None:
        """Create the table; safe at every start.

        Raises:
            asyncpg.PostgresError: The database refused; nothing was changed.
        """
        await self._database.install(SCHEMA.replace("{table}", self._table))

    async def __aenter__(self) -> Self:
        """Begin to look for what is left behind."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End; rows stay for other processes."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    @asynccontextmanager
    async def transaction(
        self,
    ) -> AsyncIterator[tuple[asyncpg.pool.PoolConnectionProxy, AfterCommit]]:
        """Open a transaction that commits its invalidations with its data.

        Yields:
            The connection to write with, and what collects invalidations.

        Raises:
            LookupError: There is no rule for an entity; nothing is committed.
            Exception: What the block or the database raised; then nothing is invalidated.
        """
        collected = AfterCommit()
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection, collected
            id_ = await self._kept(connection, collected)
        if id_ is not None:
            with suppress(LoadpathError):  # committed: the row, if it is there still, is left
                await self._do([(id_, collected)])

    async def drain(self) -> int:
        """Do what was left behind, one batch; return how many rows it was.

        Raises:
            DatabaseUnavailableError: The database cannot be asked.
            DatabaseInDoubtError: The rows may be there still; they are done again.
        """
        rows = await self._ask(
            "SELECT id, what FROM {table}"
            " WHERE at <= clock_timestamp() - make_interval(secs => $1) ORDER BY id LIMIT $2",
            self._delay,
            self._batch,
        )
        await self._do([(row["id"], AfterCommit.unpacked(row["what"])) for row in rows])
        return len(rows)

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                found = await self.drain()
                attempt = 0
                self.drained += found
            except Exception:  # noqa: BLE001 - whatever it is, the rows are kept
                self.failures += 1
                attempt += 1
                await asyncio.sleep(self._backoff.delay(attempt, self._random))
            else:
                if found < self._batch or self._missed():
                    await asyncio.sleep(self._interval)

    async def _kept(self, connection: Any, collected: AfterCommit) -> int | None:
        """Write down what was collected and return its row's id, None when it is nothing."""
        if not collected:
            return None
        collected.resolve(self._cache.rules)
        query = f"INSERT INTO {self._table} (what) VALUES ($1) RETURNING id"  # noqa: S608 - checked
        id_: int = await connection.fetchval(query, collected.packed())
        return id_

    async def _do(self, left: Sequence[tuple[int, AfterCommit]]) -> None:
        """Invalidate, and forget the rows once the shared layer has heard all of it."""
        for _, collected in left:
            await collected.run(self._cache)
        if left and not self._missed():
            await self._ask("DELETE FROM {table} WHERE id = ANY($1)", [id_ for id_, _ in left])

    def _missed(self) -> bool:
        layer = self._cache.snapshot().l2
        return layer is not None and layer.waiting > 0

    async def _ask(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self._database.ask(query.replace("{table}", self._table), *arguments)
