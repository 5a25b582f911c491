"""Endpoints from a table of PostgreSQL, looked at by polling."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loadpath.upstream.resolvers.poll import Found, checked_wait, poll
from loadpath.upstream.resolvers.resolver import Stream
from loadpath.upstream.resolvers.rows import from_rows

QUERY = "select host, port, weight, zone, priority from endpoints"


class PostgresPool(Protocol):
    """Run one query, as `asyncpg.Pool` does."""

    async def fetch(self, query: str, /) -> Sequence[Mapping[str, Any]]:
        """Return its rows."""
        ...


class PostgresResolver:
    """Give the endpoints of a query whenever they change.

    Args:
        pool: Runs the query; it is handed in and stays the caller's.
        query: Returns `host` and `port`, and `weight`, `zone` and `priority` where it has them.
        interval: How often it is run (s).
    """

    def __init__(self, pool: PostgresPool, query: str = QUERY, *, interval: float = 5.0) -> None:
        self._pool = pool
        self._query = query
        self._interval = checked_wait("interval", interval)

    async def watch(self) -> Stream:
        """Give the set of the query, then each one that it becomes."""
        async for found in poll(f"query {self._query!r}", self._look, retry=self._interval):
            yield found

    async def _look(self) -> Found:
        return from_rows(await self._pool.fetch(self._query)), self._interval
