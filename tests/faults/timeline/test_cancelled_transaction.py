"""Ctrl-C while the record is read or filled is a cancellation, and no other error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from random import Random

import asyncpg
import pytest

from loadpath.systems.timeline.load.audit import _truth
from loadpath.systems.timeline.load.population import Population
from loadpath.systems.timeline.load.seeding import seed
from loadpath.systems.timeline.record.transaction import ONE_MOMENT, transaction
from loadpath.systems.timeline.service import migrate_record
from tests.integration.timeline.services import silent

GRAPH = Population(users=5_000, followers=40, seed=3)
LARGE = Population(users=100_000, followers=100, seed=3)
TIMES = 40


@pytest.fixture
async def connect(record_dsn: str) -> AsyncIterator[Callable[[], Awaitable[asyncpg.Connection]]]:
    """Make connections to an empty record; all are dropped afterwards."""
    await migrate_record(record_dsn)
    made: list[asyncpg.Connection] = []

    async def new() -> asyncpg.Connection:
        made.append(await asyncpg.connect(record_dsn))
        return made[-1]

    yield new
    for connection in made:
        connection.terminate()


async def cancelled(work: Awaitable[object], *, after: float) -> BaseException | None:
    """Cancel some work after a moment, and return how it ended."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    return asyncio.CancelledError() if task.cancelled() else task.exception()


@pytest.mark.parametrize("begin", ["BEGIN", ONE_MOMENT])
async def test_a_copy_that_is_cancelled_between_two_rows_is_a_cancellation(
    connect: Callable[[], Awaitable[asyncpg.Connection]], begin: str
) -> None:
    """The server is in the middle of an answer, which no other statement may interrupt."""
    connection, began = await connect(), asyncio.Event()

    async def never(_: bytes) -> None:
        began.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async with transaction(connection, begin=begin):
            await connection.copy_from_query("SELECT generate_series(1, 1000000)", output=never)

    reading = asyncio.create_task(read())
    await began.wait()
    assert isinstance(await cancelled(reading, after=0), asyncio.CancelledError)


async def test_an_audit_can_be_cancelled_at_any_moment(
    connect: Callable[[], Awaitable[asyncpg.Connection]], record_dsn: str
) -> None:
    """Many times, at moments that nobody chose."""
    await seed(record_dsn, GRAPH, silent)
    posts = "INSERT INTO posts SELECT n, 1 + n % 5000, 'x' FROM generate_series(1, 20000) n"
    await (await connect()).execute(posts)
    random, loop = Random(5), asyncio.get_running_loop()
    began = loop.time()
    await _truth(await connect())
    longest = loop.time() - began
    for _ in range(TIMES):
        connection = await connect()
        end = await cancelled(_truth(connection), after=random.uniform(0, longest))
        connection.terminate()
        assert end is None or isinstance(end, asyncio.CancelledError), repr(end)


async def test_a_graph_can_be_cancelled_at_any_moment(
    connect: Callable[[], Awaitable[asyncpg.Connection]], record_dsn: str
) -> None:
    """Of what was put into the record until then nothing is there."""
    random = Random(6)
    for _ in range(12):
        end = await cancelled(seed(record_dsn, LARGE, silent), after=random.uniform(0, 0.3))
        assert isinstance(end, asyncio.CancelledError), repr(end)
    assert await (await connect()).fetchval("SELECT count(*) FROM users") == 0


async def test_a_block_that_ends_well_is_committed_and_one_that_fails_is_not(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
) -> None:
    """Once the connection of the failed one is gone."""
    add = "INSERT INTO users (name) VALUES ($1)"
    for name, error in (("kept", None), ("lost", ValueError)):
        connection = await connect()
        with suppress(ValueError):
            async with transaction(connection):
                await connection.execute(add, name)
                if error:
                    raise error
        connection.terminate()
    rows = await (await connect()).fetch("SELECT name FROM users")
    assert [row["name"] for row in rows] == ["kept"]
