"""The log's tail on a real PostgreSQL: in commit order, at once, over connections that break."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import asyncpg
import pytest

from loadpath.systems.timeline.fanout.engine import FOLLOW, POST, UNFOLLOW, LogBatch
from loadpath.systems.timeline.fanout.log import LogLostError, LogTail, follow_log, position
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.fanning import add_users, post


@pytest.fixture
async def connection(record_dsn: str, record: Record) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection to a record with users."""
    del record
    await add_users(record_dsn)
    opened = await asyncpg.connect(record_dsn)
    yield opened
    await opened.close()


async def _log(connection: asyncpg.Connection, *subjects: int) -> None:
    await connection.execute(
        "INSERT INTO outbox (kind, actor_id, subject_id) SELECT 1, 1, unnest($1::bigint[])",
        subjects,
    )


async def _identity(connection: asyncpg.Connection) -> UUID:
    return (await position(connection)).record


async def test_events_arrive_as_they_were_written(
    record_dsn: str, record: Record, connection: asyncpg.Connection
) -> None:
    """Offset, kind, who and what of each, in one batch and in order."""
    (first, second) = await post(record, 3, 4)
    await record.follow(5, 3)
    await record.unfollow(5, 3)
    async with LogTail.of(record_dsn, await _identity(connection), 0) as tail:
        batch = await tail.after(0, limit=100, poll=5.0)
    assert batch.offsets.tolist() == sorted(batch.offsets.tolist())
    assert batch.kinds.tolist() == [POST, POST, FOLLOW, UNFOLLOW]
    assert batch.actors.tolist() == [3, 4, 5, 5]
    assert batch.subjects.tolist() == [first, second, 3, 3]
    assert abs(batch.created - time.time()) < 60


async def test_batches_are_bounded(record_dsn: str, connection: asyncpg.Connection) -> None:
    """A long log comes in pieces that continue each other."""
    await _log(connection, *range(1, 26))
    log = follow_log(record_dsn, await _identity(connection), 0, limit=10, poll=5.0)
    sizes: list[int] = []
    async with aclosing(log) as batches:
        async for batch in batches:
            sizes.append(len(batch.offsets))
            if sum(sizes) == 25:
                break
    assert sizes == [10, 10, 5]


async def test_news_wake_the_tail_at_once(record_dsn: str, connection: asyncpg.Connection) -> None:
    """Long before the next look, however rarely it looks."""
    async with LogTail.of(record_dsn, await _identity(connection), 0) as tail:
        waiting = asyncio.create_task(tail.after(0, limit=10, poll=60.0))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await _log(connection, 7)
        batch = await waiting
    assert batch.subjects.tolist() == [7]
    assert time.monotonic() - started < 5


async def test_lost_notifications_only_cost_time(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """The tail looks by itself."""
    await connection.execute("ALTER TABLE outbox DISABLE TRIGGER ALL")
    async with LogTail.of(record_dsn, await _identity(connection), 0) as tail:
        waiting = asyncio.create_task(tail.after(0, limit=10, poll=0.05))
        await asyncio.sleep(0.1)
        await _log(connection, 7)
        assert (await waiting).subjects.tolist() == [7]


async def test_no_offset_is_passed_that_may_still_commit(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """Twelve writers whose transactions last and fail at random: the tail misses nothing."""
    async with asyncpg.create_pool(record_dsn, min_size=12, max_size=12) as pool:

        async def write(writer: int) -> list[int]:
            kept = []
            for number in range(15):
                subject = writer * 1000 + number
                async with pool.acquire() as own:
                    transaction = own.transaction()
                    await transaction.start()
                    await _log(own, subject)
                    await own.execute("SELECT pg_sleep($1)", (subject % 7) / 2000)
                    if subject % 5:
                        await transaction.commit()
                        kept.append(subject)
                    else:
                        await transaction.rollback()
            return kept

        writers = asyncio.gather(*[write(number) for number in range(1, 13)])
        log = follow_log(record_dsn, await _identity(connection), 0, limit=7, poll=0.01)
        seen: list[int] = []
        offsets: list[int] = []
        async with aclosing(log) as batches:
            async for batch in batches:
                seen += batch.subjects.tolist()
                offsets += batch.offsets.tolist()
                if len(seen) == 12 * 12:
                    break
        kept = await writers
    assert sorted(seen) == sorted(subject for each in kept for subject in each)
    assert offsets == sorted(set(offsets))


async def test_broken_connection_loses_nothing(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """The tail comes back by itself and goes on after the last event it gave."""
    seen: list[int] = []
    log = follow_log(record_dsn, await _identity(connection), 0, limit=3, poll=5.0)
    async with aclosing(log) as batches:
        for number in range(1, 8):
            await _log(connection, number)
            batch: LogBatch = await anext(batches)
            seen += batch.subjects.tolist()
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    assert seen == list(range(1, 8))


@pytest.mark.parametrize(("trimmed", "applied"), [(5, 4), (0, 9)])
async def test_log_that_does_not_continue_is_refused(
    record_dsn: str, connection: asyncpg.Connection, trimmed: int, applied: int
) -> None:
    """Events were trimmed that are needed, or the record is older than the rings."""
    await _log(connection, 1, 2)
    await connection.execute("UPDATE record_identity SET trimmed = $1", trimmed)
    with pytest.raises(LogLostError, match=f"does not continue after offset {applied}"):
        async with LogTail.of(record_dsn, await _identity(connection), applied):
            pass


async def test_log_of_another_record_is_refused(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """Somebody put another database behind the same address."""
    del connection
    with pytest.raises(LogLostError, match="does not continue"):
        async with LogTail.of(record_dsn, UUID(int=1), 0):
            pass


async def test_waiting_for_news_can_be_cancelled(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """No connection stays behind."""

    async def sessions() -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        count: int = await connection.fetchval(query)
        return count

    before = await sessions()
    log = follow_log(record_dsn, await _identity(connection), 0, limit=3, poll=60.0)
    async with aclosing(log) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.2)
        assert await sessions() > before
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5):
        while await sessions() > before:  # noqa: ASYNC110 - the server takes its time
            await asyncio.sleep(0.01)


async def test_events_trimmed_before_they_were_read_are_not_skipped(
    record_dsn: str, connection: asyncpg.Connection
) -> None:
    """Another writer of the same shard trims what this one still needs: it is told, at once."""
    await _log(connection, 1, 2)
    async with LogTail.of(record_dsn, await _identity(connection), 0) as tail:
        batch = await tail.after(0, limit=1, poll=5.0)
        read = int(batch.offsets[-1])
        await connection.execute("UPDATE record_identity SET trimmed = $1", read + 1)
        await connection.execute('DELETE FROM outbox WHERE "offset" <= $1', read + 1)
        await _log(connection, 3)
        with pytest.raises(LogLostError, match="was trimmed"):
            await tail.after(read, limit=10, poll=5.0)
