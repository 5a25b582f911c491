"""Tail the log of the record: the outbox, in the order in which its events committed.

An offset is never passed by: the record draws offsets under a lock that is held until the
transaction is visible, so whoever sees one sees all lower ones. A notification wakes the tail at
each commit; looking again every `poll` seconds is only the safety net. The tail survives a restart
of the server, but never reads on in a log that is not the one it read before.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Self
from uuid import UUID

import asyncpg
import numpy as np

from loadpath.core.errors import LoadpathError
from loadpath.systems.timeline.fanout.engine import LogBatch
from loadpath.systems.timeline.record.columns import from_array
from loadpath.systems.timeline.record.outage import FAILURES, Retries, connected, is_outage

CHANNEL: Final = "timeline_outbox"

_logger = logging.getLogger(__name__)

# One row of four byte strings, whatever the number of events: no Python object per event.
_NEXT = """
SELECT array_send(array_agg("offset")), array_send(array_agg(kind)),
       array_send(array_agg(actor_id)), array_send(array_agg(subject_id)),
       extract(epoch FROM min(created_at))::float8, (SELECT trimmed FROM record_identity)
FROM (SELECT * FROM outbox WHERE "offset" > $1 ORDER BY "offset" LIMIT $2) AS events
"""

_POSITION = """
SELECT id, trimmed, greatest(trimmed, (SELECT max("offset") FROM outbox)) FROM record_identity
"""


class LogLostError(LoadpathError, RuntimeError):
    """Report that the log no longer continues where it was left; rings must be made anew."""


class LogPosition(NamedTuple):
    """Say which log this is and what it holds.

    Attributes:
        record: Identity of the record.
        trimmed: Events up to this offset are gone.
        last: Offset of the newest event.
    """

    record: UUID
    trimmed: int
    last: int

    def continues(self, record: UUID, applied: int) -> bool:
        """Return whether everything after an offset of a record is still to be had here.

        Args:
            record: Identity of the record that was read so far.
            applied: Offset of the last event that was read.
        """
        return self.record == record and self.trimmed <= applied <= self.last


async def position(connection: asyncpg.Connection) -> LogPosition:
    """Return which log a connection leads to, and what it holds now.

    Args:
        connection: To the record.
    """
    row = await connection.fetchrow(_POSITION)
    if row is None:
        raise LogLostError("the record has no identity: restore its table record_identity")
    return LogPosition(UUID(int=row[0].int), row[1], row[2])


class LogTail:
    """Wait for the events after an offset; made by `LogTail.of`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def of(cls, dsn: str, record: UUID, applied: int) -> AsyncIterator[Self]:
        """Connect, and check that this log continues where the last one was left.

        Args:
            dsn: Where the record is.
            record: Its identity.
            applied: Offset of the last event that was read.

        Raises:
            LogLostError: It does not.
        """
        async with connected(dsn) as connection:
            tail = cls(connection)
            await connection.add_listener(CHANNEL, tail._notified)
            found = await position(connection)
            if not found.continues(record, applied):
                raise LogLostError(
                    f"the log (record {found.record}, offsets {found.trimmed + 1} to "
                    f"{found.last}) does not continue after offset {applied} of record {record}: "
                    "restart the writer, it makes its rings anew"
                )
            yield tail

    async def after(self, offset: int, *, limit: int, poll: float) -> LogBatch:
        """Return the next events, at least one, as soon as there are any.

        Raises:
            LogLostError: Events after the offset were trimmed before they were read.

        Args:
            offset: Offset of the last event that was read.
            limit: Most events.
            poll: Look again after this long without news (s).
        """
        while True:
            self._news.clear()
            row = await self._connection.fetchrow(_NEXT, offset, limit)
            assert row is not None
            if row[5] > offset:
                raise LogLostError(
                    f"the log was trimmed to offset {row[5]}, beyond {offset}: another writer of "
                    "this shard uses the same record; stop one and restart the other"
                )
            if row[0] is not None:
                return _batch(row)
            try:
                async with asyncio.timeout(poll):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _notified(self, *_: object) -> None:
        self._news.set()


async def follow_log(
    dsn: str, record: UUID, applied: int, *, limit: int, poll: float
) -> AsyncGenerator[LogBatch, None]:
    """Return the events after an offset without end, in order, over restarts of the server.

    Args:
        dsn: Where the record is.
        record: Its identity.
        applied: Offset of the last event that was read.
        limit: Most events at once.
        poll: Look again after this long without news (s).

    Raises:
        LogLostError: The log does not continue there.
    """
    retries = Retries()
    while True:
        try:
            async with LogTail.of(dsn, record, applied) as tail:
                retries.succeeded()
                while True:
                    batch = await tail.after(applied, limit=limit, poll=poll)
                    yield batch
                    applied = int(batch.offsets[-1])
        except FAILURES as error:
            if not is_outage(error):
                raise
            delay = retries.delay()
            _logger.warning("the record is away (%s), trying again in %.2f s", error, delay)
            await asyncio.sleep(delay)


def _batch(row: asyncpg.Record) -> LogBatch:
    return LogBatch(
        from_array(row[0], 8),
        from_array(row[1], 2).astype(np.int16),
        from_array(row[2], 4).astype(np.int32),
        from_array(row[3], 8),
        row[4],
    )
