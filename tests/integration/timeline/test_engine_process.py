"""The writer as a process: how it starts, what it says when it cannot, how it stops."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from loadpath.local import Child
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.fanning import (
    add_users,
    check_rings,
    post,
    settings_for,
    until,
    writer_process,
)

MODULE = "loadpath.systems.timeline.fanout"


async def _says(process: Child, text: str = "ready at offset") -> None:
    async with asyncio.timeout(20):
        while text not in await process.tail():  # noqa: ASYNC110 - progress of another process
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_process_cleanly(
    record_dsn: str, record: Record, tmp_path: Path, number: signal.Signals
) -> None:
    """Exit status 0, no traceback, and the rings can be gone on with."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    for _ in range(2):
        process = await asyncio.to_thread(writer_process, settings, tmp_path)
        async with process:
            await _says(process)
            await post(record, 1)
            await check_rings(settings, record)
            process.send_signal(number)
            assert await process.wait() == 0
            said = await process.tail()
    assert "stopped" in said
    assert "Traceback" not in said


async def test_signal_ends_a_process_that_waits_for_its_record(tmp_path: Path) -> None:
    """Also before it ever reached the record."""
    settings = settings_for("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    process = await asyncio.to_thread(writer_process, settings, tmp_path)
    async with process:
        await _says(process, "the record is away")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_second_process_says_who_is_first(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Exit status 1 and one line that says what to do."""
    del record
    settings = settings_for(record_dsn, tmp_path)
    (tmp_path / "second").mkdir()
    first = await asyncio.to_thread(writer_process, settings, tmp_path)
    second = await asyncio.to_thread(writer_process, settings, tmp_path / "second")
    async with first:
        await _says(first)
        async with second:
            assert await second.wait() == 1
            assert "shard 0 has a writer already" in await second.tail()
            assert "Traceback" not in await second.tail()


async def test_process_stops_when_its_log_is_gone(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """It never reads on in another log; started again it makes its rings anew."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    process = await asyncio.to_thread(writer_process, settings, tmp_path)
    connection = await asyncpg.connect(record_dsn)
    try:
        async with process:
            await _says(process)
            await connection.execute("UPDATE record_identity SET id = gen_random_uuid()")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE '%array_send%' "
                "AND pid <> pg_backend_pid()"
            )
            assert await process.wait() == 1
            assert "does not continue after offset" in await process.tail()
        async with process:
            await until(lambda: process.running)
            await check_rings(settings, record)
    finally:
        await connection.close()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _config(folder: Path, **values: object) -> str:
    path = folder / "timeline.toml"
    settings = {"postgres": "postgresql://127.0.0.1:1/none", "rings": str(folder), **values}
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return str(path)


@pytest.mark.parametrize(
    ("values", "shard", "message"),
    [
        ({"shards": 2}, "2", "shard must be from 0 to 1"),
        ({"shards": 0}, "0", "$.shards"),
        ({"lenght": 3}, "0", "$.lenght"),
        ({"rings": "/proc/nowhere"}, "0", "set `rings` to a folder"),
    ],
)
def test_wrong_settings_are_one_line(
    tmp_path: Path, values: dict[str, object], shard: str, message: str
) -> None:
    """Exit status 1, the field and the next step, no traceback."""
    ended = _run(_config(tmp_path, **values), shard)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_arguments_are_told() -> None:
    """Exit status 2 and how to call it."""
    ended = _run()
    assert ended.returncode == 2
    assert "config" in ended.stderr


async def test_rings_that_do_not_fit_are_said_before_anything_is_written(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """A full memory folder would kill the process later, without a word."""
    del record
    config = await asyncio.to_thread(
        _config, tmp_path, postgres=record_dsn, capacity=2_000_000_000, length=30_000
    )
    ended = await asyncio.to_thread(_run, config, "0")
    assert ended.returncode == 1
    assert "lower `capacity` or `length`" in ended.stderr
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.rings")))
