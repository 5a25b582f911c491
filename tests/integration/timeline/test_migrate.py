"""Migrations on a real PostgreSQL: once each, all or nothing, one process at a time."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from loadpath.systems.timeline.record.migrate import Migration, MigrationError, migrate
from loadpath.systems.timeline.record.postgres import Record

TABLE = Migration(version=1, name="table", sql="CREATE TABLE a (x int); INSERT INTO a VALUES (1)")
BROKEN = Migration(version=2, name="broken", sql="INSERT INTO a VALUES (2); SELECT 1 / 0")
SLOW = Migration(version=1, name="slow", sql="SELECT pg_sleep(0.2); CREATE TABLE a (x int)")


@pytest.fixture
async def connection(record_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection to an empty database."""
    opened = await asyncpg.connect(record_dsn)
    yield opened
    await opened.close()


async def test_what_is_missing_is_applied_once(connection: asyncpg.Connection) -> None:
    """The second run finds nothing to do."""
    assert await migrate(connection, [TABLE]) == [TABLE]
    assert await migrate(connection, [TABLE]) == []
    assert await connection.fetchval("SELECT count(*) FROM a") == 1


async def test_a_failed_migration_leaves_nothing(connection: asyncpg.Connection) -> None:
    """What ran before the failure is kept, the failed file is undone and can be corrected."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(connection, [TABLE, BROKEN])
    assert await connection.fetchval("SELECT count(*) FROM a") == 1
    mended = Migration(version=2, name="mended", sql="INSERT INTO a VALUES (2)")
    assert await migrate(connection, [TABLE, mended]) == [mended]


async def test_processes_that_start_together_take_turns(record_dsn: str) -> None:
    """One of five applies the migration, the others wait and find it done."""

    async def run() -> int:
        opened = await asyncpg.connect(record_dsn)
        try:
            return len(await migrate(opened, [SLOW]))
        finally:
            await opened.close()

    assert sorted(await asyncio.gather(*(run() for _ in range(5)))) == [0, 0, 0, 0, 1]


async def test_a_process_that_dies_lets_the_next_one_in(record_dsn: str) -> None:
    """A cancelled migration is undone and does not keep the lock."""
    dying = await asyncpg.connect(record_dsn)
    task = asyncio.create_task(migrate(dying, [SLOW]))
    await asyncio.sleep(0.05)
    dying.terminate()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await task
    opened = await asyncpg.connect(record_dsn)
    async with asyncio.timeout(10):
        assert await migrate(opened, [SLOW]) == [SLOW]
    await opened.close()


async def test_a_changed_migration_stops_the_start(connection: asyncpg.Connection) -> None:
    """A database whose history differs from the files is not touched."""
    await migrate(connection, [TABLE])
    edited = Migration(version=1, name="table", sql=TABLE.sql + ";")
    with pytest.raises(MigrationError, match="changed after it was applied"):
        await migrate(connection, [edited])
    assert await migrate(connection, [TABLE]) == []


async def test_a_newer_schema_stops_the_start(record_dsn: str) -> None:
    """A record that a newer version migrated is refused with the next step."""
    async with Record.open(record_dsn, connections=1):
        pass
    connection = await asyncpg.connect(record_dsn)
    await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'later', '')"
    )
    await connection.close()
    with pytest.raises(MigrationError, match="newer loadpath"):
        async with Record.open(record_dsn):
            pass


async def test_records_of_five_processes_open_together(record_dsn: str) -> None:
    """Processes that start at once on an empty database see one record."""

    async def identity() -> bytes:
        async with Record.open(record_dsn, connections=1) as opened:
            return opened.identity.id.bytes

    assert len(set(await asyncio.gather(*(identity() for _ in range(5))))) == 1
