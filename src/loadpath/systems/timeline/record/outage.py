"""Tell a database that is away for a while from one that will never do what it was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import asyncpg

from loadpath.core.backoff import Backoff

RECONNECT: Final = Backoff(base=0.05, cap=2.0, jitter="equal")
PATIENCE: Final = 60.0
FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement met the server's farewell: "cannot switch to state"
    asyncpg.PostgresError,
)
"""What a statement or a connect attempt may raise."""

# Connection gone, transaction lost a race, out of resources, operator intervention, system error.
_TEMPORARY = frozenset({"08", "25", "40", "53", "55", "57", "58"})


def is_outage(error: BaseException) -> bool:
    """Return whether the same may work later.

    Args:
        error: One of `FAILURES`.
    """
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "08000")[:2] in _TEMPORARY
    return isinstance(error, FAILURES)


class Retries:
    """Give the delay before each try again; success starts over."""

    def __init__(self) -> None:
        self._attempt = 0
        # Jitter keeps writers apart; nothing secret depends on it.
        self._random = Random()  # noqa: S311

    def delay(self) -> float:
        """Return how long to wait before the next try (s)."""
        self._attempt += 1
        return RECONNECT.delay(self._attempt, self._random)

    def succeeded(self) -> None:
        """Forget the failures."""
        self._attempt = 0


@asynccontextmanager
async def connected(
    dsn: str, *, settings: dict[str, str] | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection until the block ends, which never waits for a server that is gone.

    Args:
        dsn: Where PostgreSQL is.
        settings: Server settings of this session.
    """
    connection = await asyncpg.connect(
        dsn, timeout=PATIENCE, command_timeout=PATIENCE, server_settings=settings
    )
    try:
        yield connection
    finally:
        connection.terminate()
