"""A transaction that a cancelled COPY cannot turn into another error.

asyncpg's own rolls back when its block fails; while a COPY that was cancelled still holds the
connection, that rollback is refused by an error that takes the place of the cancellation.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

ONE_MOMENT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""Begins a transaction in which every statement sees the record as it was at the first."""


@asynccontextmanager
async def transaction(
    connection: asyncpg.Connection, *, begin: str = "BEGIN"
) -> AsyncIterator[None]:
    """Run the block in a transaction, and commit at its end.

    A block that fails leaves the transaction open: whoever made the connection terminates it then,
    which rolls back.

    Args:
        connection: To the record; terminated when the block fails.
        begin: The statement that begins it.
    """
    await connection.execute(begin)
    yield
    await connection.execute("COMMIT")
