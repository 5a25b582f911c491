"""What was acknowledged is applied, in order, whatever dies; poison harms no other write."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from loadpath.cache import (
    MultiLayerCache,
    NotStorableError,
    TooManyWritesError,
    ValkeyStore,
    Write,
    WriteBehind,
)
from loadpath.core.backoff import Backoff
from loadpath.local import Valkey
from loadpath.resp import RespClient

WRITER = Path(__file__).with_name("queue_writer.py")


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


@asynccontextmanager
async def behind(
    url: str, table: Table, **given: Any
) -> AsyncIterator[tuple[MultiLayerCache, WriteBehind]]:
    """Open a cache whose writes reach the table later."""
    given = {"interval": 0.01, "backoff": Backoff(base=0.01, cap=0.05), **given}
    async with (
        RespClient(url) as client,
        MultiLayerCache(ValkeyStore(client)) as cache,
        WriteBehind(cache, client, table.apply, **given) as writes,
    ):
        yield cache, writes


async def test_a_write_is_readable_at_once_and_in_the_database_soon(server: Valkey) -> None:
    """Many writes of a key cost the database few."""
    table = Table()
    async with behind(server.url, table) as (cache, writes):
        for number in range(200):
            await writes.put(f"k{number % 5}", number)
            assert await cache.get(f"k{number % 5}") == number
        await writes.flush(timeout=30)
        assert table.values() == {f"k{n}": 195 + n for n in range(5)}
        stats = writes.snapshot()
        assert stats.queued == 200 == stats.applied + stats.coalesced
        by_key = {key: [w.version for w in table.seen if w.key == key] for key in table.rows}
        assert all(versions == sorted(versions) for versions in by_key.values())


async def test_closing_drains(server: Valkey) -> None:
    """Nobody needs to ask for it."""
    table = Table()
    async with behind(server.url, table) as (_, writes):
        for number in range(50):
            await writes.put(f"k{number}", number)
    assert len(table.rows) == 50


async def test_an_outage_of_the_database_loses_nothing(server: Valkey) -> None:
    """The batch is tried again until it is applied; the queue refuses more than it may hold."""
    table = Table()
    table.error = OSError("down")
    async with behind(server.url, table, max_queued=10) as (cache, writes):
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


async def test_poison_becomes_a_dead_letter_and_harms_no_other(server: Valkey) -> None:
    """The rest of its batch is applied; the letter says why; a value that cannot travel is told."""
    table = Table()
    table.poison = {3}
    async with behind(server.url, table) as (_, writes):
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


async def test_too_many_dead_letters_stop_the_queue_and_lose_nothing(server: Valkey) -> None:
    """Somebody must look; then it goes on."""
    table = Table()
    table.poison = {0, 1, 2}
    async with behind(server.url, table, max_dead=2, drain_timeout=0.1) as (_, writes):
        for number in range(5):
            await writes.put(f"k{number}", number)
        with pytest.raises(TimeoutError):
            await writes.flush(timeout=0.5)
        assert len(await writes.dead_letters()) == 2
        await writes.forget_dead_letters()
        await writes.flush(timeout=30)
        assert table.values() == {"k3": 3, "k4": 4}


async def test_a_killed_process_loses_nothing_that_it_acknowledged(server: Valkey) -> None:
    """Kill -9 with writes pending: another process applies them all, none out of order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, WRITER, server.url, stdout=asyncio.subprocess.PIPE
    )
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
    async with behind(server.url, table) as (_, writes):
        await writes.flush(timeout=60)
    found = table.values()
    assert found.keys() == acknowledged.keys()
    assert all(found[key] >= number for key, number in acknowledged.items())
    assert sum(found[key] > number for key, number in acknowledged.items()) <= 1, "in doubt: one"


async def test_one_process_applies_at_a_time(server: Valkey) -> None:
    """Two are open; versions of a key never go back, although both could apply."""
    table = Table()
    async with (
        behind(server.url, table, batch=7) as (_, one),
        behind(server.url, table, batch=7) as (_, two),
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
    async with behind(server.url, table, drain_timeout=0.1) as (_, writes):
        await server.kill()
        with pytest.raises(ConnectionError):
            await writes.put("k", 1)
        await server.restart()


@pytest.mark.parametrize(
    "given", [{"max_queued": 0}, {"max_dead": 0}, {"batch": 0}, {"interval": 0}, {"lease": -1}]
)
async def test_what_makes_no_sense_is_refused(server: Valkey, given: dict[str, Any]) -> None:
    """When it is made."""
    async with RespClient(server.url) as client:
        cache = MultiLayerCache(ValkeyStore(client))
        with pytest.raises(ValueError, match=next(iter(given))):
            WriteBehind(cache, client, Table().apply, **given)
