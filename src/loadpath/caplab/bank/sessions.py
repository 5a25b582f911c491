"""A bounded set of connections to databases that may vanish at any moment.

A connection whose statement did not end in order is ended, never used again: what it still does
over there is nobody's business here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

from loadpath.caplab.extras import asyncpg

PATIENCE: Final = 60.0
"""Seconds until a connection must be there; whoever asks has a shorter deadline of their own."""
UNWAITED: Final = "01000"
"""SQLSTATE of the warning that a COMMIT did not wait for its standbys."""


class Session:
    """Hold one connection, and whether a commit on it was acknowledged alone."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection
        self.unwaited = False
        connection.add_log_listener(self._note)

    def _note(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.sqlstate == UNWAITED:
            self.unwaited = True


class Sessions:
    """Lend connections; an async context manager that ends them all.

    Args:
        most: Connections at once; who comes later waits.
    """

    def __init__(self, *, most: int = 8) -> None:
        self._places = asyncio.Semaphore(most)
        self._idle: dict[str, list[Session]] = {}
        self._all: set[Session] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in tuple(self._all):
            self._end(session)

    @asynccontextmanager
    async def lend(self, dsn: str) -> AsyncIterator[Session]:
        """Lend a connection until the end of the block; a failed block ends it.

        Raises:
            OSError: Nobody answers there.
            asyncpg.PostgresError: The server refuses connections.
        """
        async with self._places:
            session = self._kept(dsn) or await self._opened(dsn)
            try:
                yield session
            except BaseException:
                self._end(session)
                raise
            if session.unwaited or session.connection.is_closed():
                self._end(session)
            else:
                self._idle.setdefault(dsn, []).append(session)

    def _kept(self, dsn: str) -> Session | None:
        idle = self._idle.get(dsn, [])
        while idle:
            session = idle.pop()
            if not session.connection.is_closed():
                return session
            self._end(session)
        return None

    async def _opened(self, dsn: str) -> Session:
        session = Session(await asyncpg.connect(dsn, timeout=PATIENCE))
        self._all.add(session)
        return session

    def _end(self, session: Session) -> None:
        self._all.discard(session)
        session.connection.terminate()
