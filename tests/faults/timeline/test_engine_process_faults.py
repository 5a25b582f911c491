"""The writer's process and its record die under load; every post ends where it belongs, once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Child, Postgres
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.fanning import (
    act,
    add_users,
    check_rings,
    post,
    reader_of,
    settings_for,
    writer_process,
    writing,
)


@asynccontextmanager
async def _load(dsn: str) -> AsyncIterator[Record]:
    """Keep four tasks busy with posts, follows and unfollows, whatever fails meanwhile."""
    async with Record.open(dsn, connections=4) as record:

        async def busy(seed: int) -> None:
            random = Random(seed)
            while True:
                with suppress(RejectedError, InDoubtError):
                    await act(record, random)
                await asyncio.sleep(0.002)

        tasks = [asyncio.create_task(busy(seed)) for seed in range(4)]
        try:
            yield record
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _ready(process: Child) -> None:
    async with asyncio.timeout(20):
        while "ready at offset" not in await process.tail():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_writer_killed_ten_times_under_load(record_dsn: str, tmp_path: Path) -> None:
    """SIGKILL at random moments; each start goes on from the rings as they were left."""
    async with Record.open(record_dsn):
        await add_users(record_dsn)
    settings, random = settings_for(record_dsn, tmp_path), Random(1)
    process = await asyncio.to_thread(writer_process, settings, tmp_path)
    async with _load(record_dsn):
        for _ in range(10):
            await process.start()
            await _ready(process)
            await asyncio.sleep(random.uniform(0, 0.3))
            await process.kill()
    async with process, Record.open(record_dsn) as record:
        await check_rings(settings, record)
        stats = (await asyncio.to_thread(reader_of, settings)).stats(0)
        assert stats is not None
        assert stats.batches > 10  # of the first file: it was never made anew


async def test_writer_killed_while_it_starts(record_dsn: str, tmp_path: Path) -> None:
    """In the middle of loading and filling; no reader ever sees half filled rings."""
    async with Record.open(record_dsn) as record:
        await add_users(record_dsn)
        for _ in range(200):
            await act(record, Random(_))
        settings = settings_for(record_dsn, tmp_path)
        process = await asyncio.to_thread(writer_process, settings, tmp_path)
        for number in range(10):
            await process.start()
            await asyncio.sleep(0.15 + number * 0.04)
            await process.kill()
            reader = await asyncio.to_thread(reader_of, settings)
            for user in range(1, 31):
                timeline = reader.newest(user)
                expected = await record.home(user, limit=settings.length)
                assert timeline is None or timeline.ids.tolist() == expected
        async with process:
            await check_rings(settings, record)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_record_that_restarts_under_the_writer(
    timeline_postgres: Postgres, record_dsn: str, tmp_path: Path, how: str
) -> None:
    """The writer waits, comes back by itself and goes on; it is never restarted."""
    async with Record.open(record_dsn):
        await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    process = await asyncio.to_thread(writer_process, settings, tmp_path)
    async with process:
        await _ready(process)
        async with _load(record_dsn):
            for _ in range(3):
                await asyncio.sleep(0.3)
                await (timeline_postgres.kill() if how == "kill" else timeline_postgres.stop())
                await timeline_postgres.start()
        async with Record.open(record_dsn) as record:
            await check_rings(settings, record)
        assert process.running


async def test_writer_that_is_frozen_catches_up(record_dsn: str, tmp_path: Path) -> None:
    """A machine that sleeps costs time, not posts."""
    async with Record.open(record_dsn):
        await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    process = await asyncio.to_thread(writer_process, settings, tmp_path)
    async with process:
        await _ready(process)
        async with _load(record_dsn):
            for _ in range(3):
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.3)
                process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.1)
        async with Record.open(record_dsn) as record:
            await check_rings(settings, record)


async def test_writer_can_be_cancelled_at_any_await(record_dsn: str, tmp_path: Path) -> None:
    """Also while it starts; the shard is free for the next one at once."""
    async with Record.open(record_dsn) as record:
        await add_users(record_dsn)
        await record.follow(2, 1)
        settings = settings_for(record_dsn, tmp_path)

        async def run() -> None:
            async with writing(settings):
                await asyncio.Event().wait()

        for number in range(25):
            work = asyncio.create_task(run())
            await asyncio.sleep(number * 0.004)
            await post(record, 1)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        async with writing(settings):
            await check_rings(settings, record)
