"""Endpoints from a table of PostgreSQL, looked at by polling, and at once after a `NOTIFY`.

Source: PostgreSQL, "NOTIFY": a trigger on the table, or whoever writes it, tells the channel.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Protocol

from loadpath.upstream.resolvers.notices import Ring
from loadpath.upstream.resolvers.poll import RETRY, Found, checked_wait, poll
from loadpath.upstream.resolvers.resolver import Stream
from loadpath.upstream.resolvers.rows import from_rows

QUERY = "select host, port, weight, zone, priority from endpoints"


class PostgresPool(Protocol):
    """Run one query, as `asyncpg.Pool` does."""

    async def fetch(self, query: str, /) -> Sequence[Mapping[str, Any]]:
        """Return its rows."""
        ...


class ListeningPool(PostgresPool, Protocol):
    """Also lend a connection that listens, as `asyncpg.Pool` does."""

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        """Lend a connection for a block."""
        ...


class PostgresResolver:
    """Give the endpoints of a query whenever they change.

    Args:
        pool: Runs the query; it is handed in and stays the caller's.
        query: Returns `host` and `port`, and `weight`, `zone` and `priority` where it has them.
        interval: How often it is run (s).
        channel: Channel whose notices mean that it is worth running at once; it keeps one of the
            pool's connections. None: it is run every `interval` only.
    """

    def __init__(
        self,
        pool: PostgresPool | ListeningPool,
        query: str = QUERY,
        *,
        interval: float = 5.0,
        channel: str | None = None,
    ) -> None:
        if channel is not None and not hasattr(pool, "acquire"):
            raise TypeError("channel needs a pool with acquire(), as asyncpg's: it must listen")
        self._pool = pool
        self._query = query
        self._interval = checked_wait("interval", interval)
        self._channel = channel

    async def watch(self) -> Stream:
        """Give the set of the query, then each one that it becomes."""
        source, listen = f"query {self._query!r}", self._listen if self._channel else None
        looking = poll(source, self._look, retry=min(self._interval, RETRY), listen=listen)
        async with aclosing(looking) as stream:
            async for found in stream:
                yield found

    async def _look(self) -> Found:
        return from_rows(await self._pool.fetch(self._query)), self._interval

    async def _listen(self, ring: Ring) -> None:
        """Listen until the connection ends."""
        pool: Any = self._pool
        lost = asyncio.Event()

        def told(*_: object) -> None:
            ring()

        def ended(*_: object) -> None:
            lost.set()

        async with pool.acquire() as connection:
            connection.add_termination_listener(ended)
            try:
                await connection.add_listener(self._channel, told)
                ring()  # what changed before is not told any more
                await lost.wait()
            finally:
                connection.remove_termination_listener(ended)
                if not connection.is_closed():
                    await connection.remove_listener(self._channel, told)
