"""What was acknowledged is applied, in order, whatever dies; poison harms no other write."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncpg
import pytest

from loadpath.cache import (
    DatabaseInDoubtError,
    DatabaseUnavailableError,
    MultiLayerCache,
    NotStorableError,
    PostgresQueue,
    StreamQueue,
    TooManyWritesError,
    ValkeyStore,
    Write,
    WriteBehind,
)
from loadpath.core.backoff import Backoff
from loadpath.local import Postgres, Valkey, postgres
from loadpath.resp import RespClient
from tests.faults.cache.queue_place import QueuePlace

ROOT = Path(__file__).parents[3]


class Table:
    """A database that applies writes by version and remembers what reached it."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int, Any]] = {}
        self.seen: list[Write] = []
        self.error: Exception | None = None
        self.poison: set[Any] = set()

    async def apply(self, writes: Sequence[Write]) -> None:
        """Upsert where the version is older."""
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if poison := [write for write in writes if write.value in self.poison]:
            raise ValueError(f"cannot hold {poison[0].value}")
        for write in writes:
            self.seen.append(write)
            if self.rows.get(write.key, (0, None))[0] < write.version:
                self.rows[write.key] = (write.version, write.value)

    def values(self) -> dict[str, Any]:
        """Return the value of each row."""
        return {key: value for key, (_, value) in self.rows.items()}


@pytest.fixture(params=["stream", "postgres"])
async def place(
    request: pytest.FixtureRequest, server: Valkey, queue_postgres: Postgres
) -> QueuePlace:
    """Say where writes wait: beside the cache, or in a database."""
    if request.param == "stream":
        return QueuePlace(server.url)
    return QueuePlace(server.url, queue_postgres.dsn, f"w_{token_hex(4)}")


@asynccontextmanager
async def behind(
    place: QueuePlace, table: Table, *, max_queued: int = 1_000, max_dead: int = 100, **given: Any
) -> AsyncIterator[tuple[MultiLayerCache, WriteBehind]]:
    """Open a cache whose writes reach the table later."""
    given = {"interval": 0.01, "backoff": Backoff(base=0.01, cap=0.05), **given}
    async with (
        RespClient(place.url) as client,
        MultiLayerCache(ValkeyStore(client)) as cache,
        place.queue(client, max_queued=max_queued, max_dead=max_dead) as queue,
        WriteBehind(cache, queue, table.apply, **given) as writes,
    ):
        yield cache, writes


async def test_a_write_is_readable_at_once_and_in_the_database_soon(place: QueuePlace) -> None:
    """Many writes of a key cost the database few."""
    table = Table()
    async with behind(place, table) as (cache, writes):
        table.error = OSError("down")
        for number in range(200):
            await writes.put(f"k{number % 5}", number)
            assert await cache.get(f"k{number % 5}") == number
        table.error = None
        await writes.flush(timeout=30)
        assert table.values() == {f"k{n}": 195 + n for n in range(5)}
        stats = writes.snapshot()
        assert stats.queued == 200 == stats.applied + stats.coalesced
        by_key = {key: [w.version for w in table.seen if w.key == key] for key in table.rows}
        assert all(versions == sorted(versions) for versions in by_key.values())


async def test_closing_drains(place: QueuePlace) -> None:
    """Nobody needs to ask for it."""
    table = Table()
    async with behind(place, table) as (_, writes):
        for number in range(50):
            await writes.put(f"k{number}", number)
    assert len(table.rows) == 50


async def test_an_outage_of_the_database_loses_nothing(place: QueuePlace) -> None:
    """The batch is tried again until it is applied; the queue refuses more than it may hold."""
    table = Table()
    table.error = OSError("down")
    async with behind(place, table, max_queued=10) as (cache, writes):
        for number in range(10):
            await writes.put(f"k{number}", number)
        with pytest.raises(TooManyWritesError, match="10 writes"):
            await writes.put("k10", 10)
        assert await cache.get("k10") is None, "what was refused is nowhere"
        with pytest.raises(TimeoutError):
            await writes.flush(timeout=0.1)
        table.error = None
        await writes.flush(timeout=30)
        assert table.values() == {f"k{n}": n for n in range(10)}
        assert writes.snapshot().failures >= 1


async def test_poison_becomes_a_dead_letter_and_harms_no_other(place: QueuePlace) -> None:
    """The rest of its batch is applied; the letter says why; a value that cannot travel is told."""
    table = Table()
    table.poison = {3}
    async with behind(place, table) as (_, writes):
        for number in range(6):
            await writes.put(f"k{number}", number)
        await writes.flush(timeout=30)
        assert table.values() == {f"k{n}": n for n in range(6) if n != 3}
        ((dead, why),) = await writes.dead_letters()
        assert (dead.key, dead.value, why) == ("k3", 3, "ValueError: cannot hold 3")
        await writes.forget_dead_letters()
        assert await writes.dead_letters() == []
        with pytest.raises(NotStorableError):
            await writes.put("k", object())


async def test_too_many_dead_letters_stop_the_queue_and_lose_nothing(place: QueuePlace) -> None:
    """Somebody must look; then it goes on."""
    table = Table()
    table.poison = {0, 1, 2}
    async with behind(place, table, max_dead=2, drain_timeout=0.1) as (_, writes):
        for number in range(5):
            await writes.put(f"k{number}", number)
        with pytest.raises(TimeoutError):
            await writes.flush(timeout=0.5)
        assert len(await writes.dead_letters()) == 2
        await writes.forget_dead_letters()
        await writes.flush(timeout=30)
        assert table.values() == {"k3": 3, "k4": 4}


async def test_a_killed_process_loses_nothing_that_it_acknowledged(place: QueuePlace) -> None:
    """Kill -9 with writes pending: another process applies them all, none out of order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.cache.queue_writer", *place.arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    acknowledged: dict[str, int] = {}
    for _ in range(300):
        key, number = (await process.stdout.readline()).decode().split()
        acknowledged[key] = int(number)
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).decode().splitlines()
    await process.wait()
    for line in rest:
        if line.count(" ") == 1 and line.split()[1].isdigit():
            acknowledged[line.split()[0]] = int(line.split()[1])
    table = Table()
    async with behind(place, table) as (_, writes):
        await writes.flush(timeout=60)
    found = table.values()
    assert found.keys() == acknowledged.keys()
    assert all(found[key] >= number for key, number in acknowledged.items())
    assert sum(found[key] > number for key, number in acknowledged.items()) <= 1, "in doubt: one"


async def test_one_process_applies_at_a_time(place: QueuePlace) -> None:
    """Two are open; versions of a key never go back, although both could apply."""
    table = Table()
    async with (
        behind(place, table, batch=7) as (_, one),
        behind(place, table, batch=7) as (_, two),
    ):
        for number in range(150):
            await (one, two)[number % 2].put(f"k{number % 3}", number)
        await one.flush(timeout=30)
        versions = [write.version for write in table.seen]
        assert versions == sorted(versions)
        assert table.values() == {f"k{n}": 147 + n for n in range(3)}


async def test_the_server_dies_under_the_queue(server: Valkey) -> None:
    """Writers hear of it; what was acknowledged before is kept as its disk keeps it."""
    table = Table()
    table.error = OSError("down")
    async with behind(QueuePlace(server.url), table, drain_timeout=0.1) as (_, writes):
        await server.kill()
        with pytest.raises(ConnectionError):
            await writes.put("k", 1)
        await server.restart()


async def test_the_database_of_the_queue_dies(server: Valkey) -> None:
    """Kill -9: writers hear of it, and what was acknowledged before is applied after."""
    table = Table()
    table.error = OSError("down")
    async with postgres() as database:
        place = QueuePlace(server.url, database.dsn, "w")
        async with behind(place, table) as (cache, writes):
            for number in range(20):
                await writes.put(f"k{number % 3}", number)
            await database.kill()
            with pytest.raises((DatabaseUnavailableError, DatabaseInDoubtError)):
                await writes.put("k", 1)
            assert await cache.get("k") is None, "nobody reads what was not kept"
            await database.restart()
            table.error = None
            await writes.flush(timeout=30)
            found = table.values()
            assert found == {"k0": 18, "k1": 19, "k2": 17} | ({"k": 1} if "k" in found else {})


async def test_an_old_row_read_meanwhile_does_not_stay(
    server: Valkey, queue_postgres: Postgres
) -> None:
    """Once the database has the write, the entry that a reader made of the old row goes."""
    table = Table()
    table.error = OSError("down")
    place = QueuePlace(server.url, queue_postgres.dsn, "w_old_row")
    async with behind(place, table) as (cache, writes):
        await writes.put("k", "new")
        await cache.delete("k")  # as an eviction would

        async def load() -> str:
            return str(table.values().get("k", "old"))

        assert await cache.get_or_set("k", load) == "old"
        table.error = None
        await writes.flush(timeout=30)
        assert await cache.get_or_set("k", load) == "new"


async def test_writes_of_a_key_at_once_are_applied_in_the_order_of_their_commits(
    server: Valkey, queue_postgres: Postgres
) -> None:
    """However many connections write it, no version comes after a later one."""
    table = Table()
    place = QueuePlace(server.url, queue_postgres.dsn, "w_at_once")
    async with behind(place, table, batch=3, interval=0.001) as (_, writes):
        for _ in range(20):
            await asyncio.gather(*(writes.put("k", number) for number in range(8)))
        await writes.flush(timeout=30)
    versions = [write.version for write in table.seen]
    assert versions == sorted(versions)


async def test_hostile_keys_wait_like_others(place: QueuePlace) -> None:
    """NUL, quotes, long and foreign ones."""
    table = Table()
    keys = ["a\0b", "'; DROP TABLE x; --", "k" * 10_000, "열쇠", "{table}", "*?[a]\\"]
    async with behind(place, table) as (_, writes):
        for key in keys:
            await writes.put(key, key)
        await writes.flush(timeout=30)
    assert table.values() == {key: key for key in keys}


@pytest.mark.parametrize("name", ["", "a;b", "A", "a.b.c", "x" * 41, "1a"])
async def test_a_table_that_is_no_plain_name_is_refused(name: str) -> None:
    """When the queue is made."""
    pool = asyncpg.create_pool("postgres://nowhere", min_size=0)
    with pytest.raises(ValueError, match="table"):
        PostgresQueue(pool, table=name)


@pytest.mark.parametrize(
    "given", [{"max_queued": 0}, {"max_dead": 0}, {"batch": 0}, {"interval": 0}, {"lease": -1}]
)
async def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    """When it is made."""
    client = RespClient("redis://127.0.0.1:1")
    limits = {name: value for name, value in given.items() if name.startswith("max")}
    rest = {name: value for name, value in given.items() if name not in limits}
    with pytest.raises(ValueError, match=next(iter(given))):
        WriteBehind(MultiLayerCache(), StreamQueue(client, **limits), Table().apply, **rest)
