"""What write-behind and the outbox ask of PostgreSQL, and how they name its failures."""

import re
from typing import Any

from loadpath.cache.errors import (
    DatabaseInDoubtError,
    DatabaseUnavailableError,
    ExtraMissingError,
)

try:
    import asyncpg
except ModuleNotFoundError as error:
    raise ExtraMissingError("what is kept in PostgreSQL") from error

__all__ = ["Database", "asyncpg", "checked_table"]

_INSTALLING = 7_236_270_107  # any number that no other user of the database locks
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}(\.[a-z_][a-z0-9_]{0,39})?")
_REFUSED = (
    ConnectionRefusedError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
_IN_DOUBT = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that was dropped while it lay in the pool
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresConnectionError,
)


class Database:
    """Ask through a pool.

    Args:
        pool: An asyncpg pool, which stays the caller's; every call is a transaction of its own.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def install(self, schema: str) -> None:
        """Create what a schema says; safe at every start, from many processes at once.

        Raises:
            asyncpg.PostgresError: The database refused; nothing was changed.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _INSTALLING)
            await connection.execute(schema)

    async def ask(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Return the rows of a query.

        Raises:
            DatabaseUnavailableError: Nothing was done.
            DatabaseInDoubtError: It may have been done.
        """
        try:
            rows: list[asyncpg.Record] = await self._pool.fetch(query, *arguments)
        except _REFUSED as error:
            raise DatabaseUnavailableError(f"PostgreSQL is not there: {error}") from error
        except _IN_DOUBT as error:
            raise DatabaseInDoubtError(f"no answer from PostgreSQL: {error}") from error
        return rows


def checked_table(table: str) -> str:
    """Return the name of a table, perhaps with its schema.

    Raises:
        ValueError: It is no plain name, or too long.
    """
    if not _NAME.fullmatch(table):
        raise ValueError(
            "table must be lower-case letters, digits and underscores, 40 at most, perhaps after "
            f"a schema and a dot, not {table!r}"
        )
    return table
