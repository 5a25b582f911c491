"""`kill -9`, Ctrl-C and worse: nothing of ours stays, and the next start works."""

import asyncio
import random
import signal
import sys
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from loadpath.local import FolderInUseError, postgres, valkey
from loadpath.local.folders import sweep
from loadpath.local.probes import until
from loadpath.local.shared_memory import SEGMENTS
from tests.faults.local.conftest import Start, living, names, none_living

KINDS = ["postgres", "valkey", "nginx", "postgres_cluster", "valkey_cluster"]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it by itself")


@linux_only
@pytest.mark.parametrize("kind", KINDS)
async def test_servers_die_with_their_killed_owner(owner: Start, base: Path, kind: str) -> None:
    """After `kill -9` of the owner no process stays, and the next start removes the folder."""
    owned = await owner(kind)
    await owned.up()
    assert living(base)
    await owned.end()
    assert await none_living(base)
    assert names(base)
    await asyncio.to_thread(sweep)
    assert names(base) == []


@pytest.mark.parametrize("kind", ["postgres", "valkey", "nginx"])
async def test_the_next_start_ends_what_the_kernel_did_not(
    owner: Start, base: Path, kind: str
) -> None:
    """Where servers outlive their owner, the next start ends them and removes their folder."""
    owned = await owner(kind, untied=True)
    await owned.up()
    await owned.end()
    assert living(base)
    await asyncio.to_thread(sweep)
    assert living(base) == []
    assert names(base) == []


def first_processes(folder: Path) -> set[int]:
    """Return the servers of a folder without what they start and end as they like."""
    found = living(folder)
    pids = {process.pid for process in found}
    return {process.pid for process in found if process.ppid() not in pids}


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
async def test_a_living_owner_is_not_disturbed(owner: Start, base: Path, kind: str) -> None:
    """Sweeping, and starting on its named folder, leaves a living owner's server alone."""
    owned = await owner(kind, base / "data")
    await owned.up()
    before = first_processes(base)
    await asyncio.to_thread(sweep)
    starter = postgres if kind == "postgres" else valkey
    with pytest.raises(FolderInUseError):
        await starter(data=base / "data").__aenter__()
    assert first_processes(base) == before


@pytest.mark.parametrize("untied", [False, True], ids=["tied", "untied"])
async def test_a_named_postgres_restarts_over_a_busy_one(
    owner: Start, base: Path, *, untied: bool
) -> None:
    """With the owner killed in the middle of a query, the next start has the data at once."""
    owned = await owner("postgres", base / "data", untied=untied)
    await owned.up()
    connection = await asyncpg.connect(owned.dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    busy = asyncio.create_task(connection.fetchval("SELECT count(*) FROM generate_series(1, 1e10)"))
    await asyncio.sleep(0.2)
    await owned.end()
    async with postgres(data=base / "data") as server:
        assert await server.row("SELECT answer FROM kept") == ["42"]
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await busy
    assert await none_living(base)


async def test_a_killed_postmaster_restarts_over_a_busy_backend(base: Path) -> None:
    """A backend that goes on after its postmaster's death does not keep the server down."""
    async with postgres(data=base / "data") as server:
        connection = await asyncpg.connect(server.dsn)
        busy = asyncio.create_task(
            connection.fetchval("SELECT count(*) FROM generate_series(1, 1e10)")
        )
        await asyncio.sleep(0.2)
        await server.kill()
        await server.restart()
        assert await server.row("SELECT 1") == ["1"]
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await busy
    assert await none_living(base)


def shared_memory(data: Path) -> set[str]:
    """Return the server's System V segment, if it is still there."""
    named = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    return {named} & {row.split()[1] for row in SEGMENTS.read_text().splitlines()[1:]}


@linux_only
async def test_a_killed_postmaster_leaves_no_shared_memory(base: Path) -> None:
    """What only its next start would free is freed with its temporary folder."""
    async with postgres(relaxed=True) as server:
        assert await server.row("SHOW dynamic_shared_memory_type") == ["mmap"]
        (segment,) = await asyncio.to_thread(shared_memory, server.data)
        await server.kill()
    left = await asyncio.to_thread(SEGMENTS.read_text)
    assert segment not in {row.split()[1] for row in left.splitlines()[1:]}
    assert names(base) == []


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
async def test_killed_at_any_moment_of_the_first_start(owner: Start, base: Path, kind: str) -> None:
    """However far a first start on a named folder came, the next one succeeds."""
    moments = random.Random(7)
    for number in range(4):
        data = base / f"data-{number}"
        owned = await owner(kind, data)
        await asyncio.sleep(moments.uniform(0.2, 1.2 if kind == "postgres" else 0.5))
        await owned.end()
        again = await owner(kind, data)
        await again.up()
        await again.end(signal.SIGINT)
        assert await none_living(data)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_impatient_ctrl_c_leaves_nothing(owner: Start, base: Path, kind: str) -> None:
    """Interrupted again and again, no process stays, and no folder that the next start leaves."""
    owned = await owner(kind)
    await owned.up()
    assert await owned.end(signal.SIGINT, times=3) != 0
    assert await none_living(base)
    await asyncio.to_thread(sweep)
    assert names(base) == []


def started(base: Path) -> bool:
    """Return whether somebody has made a folder there."""
    return names(base) != []


@pytest.mark.parametrize("kind", KINDS)
async def test_ctrl_c_needs_nobody_to_clean_up(owner: Start, base: Path, kind: str) -> None:
    """A single Ctrl-C removes everything by itself."""
    owned = await owner(kind)
    await owned.up()
    await owned.end(signal.SIGINT)
    assert names(base) == []
    assert await none_living(base)


async def test_ctrl_c_while_starting_needs_nobody_either(owner: Start, base: Path) -> None:
    """A single Ctrl-C in the middle of a start removes everything by itself."""
    for pause in (0.0, 0.1, 0.15, 0.2, 0.25, 0.3):
        starting = await owner("postgres")
        await until(partial(asyncio.to_thread, started, base))
        await asyncio.sleep(pause)
        await starting.end(signal.SIGINT)
        assert names(base) == [], pause
        assert await none_living(base)
