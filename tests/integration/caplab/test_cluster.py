"""A cluster's servers hear each other over links only."""

import asyncio

import asyncpg
import pytest

from loadpath.caplab.cluster import cluster, streaming
from loadpath.caplab.faults import paused


async def rows(dsn: str) -> int | None:
    """Return how many rows a node has, None before it has the table."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM t"))
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()


async def until_rows(dsn: str, count: int) -> None:
    """Wait until a node has so many rows."""
    while await rows(dsn) != count:  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.02)


async def test_replication_stops_at_a_cut_and_goes_on_after_it() -> None:
    """A standby behind a cut stays where it was, another one goes on, and healing catches up."""
    async with cluster(3) as nodes, asyncio.timeout(60):
        await streaming(nodes.nodes["n1"].server, 2)
        connection = await asyncpg.connect(nodes.dsn("n1", "n1"))
        await connection.execute("CREATE TABLE t (n int)")
        await until_rows(nodes.dsn("n3", "n3"), 0)
        nodes.network.create_partition(["n3"])
        await connection.execute("INSERT INTO t VALUES (1)")
        await until_rows(nodes.dsn("n2", "n2"), 1)
        assert await rows(nodes.dsn("n3", "n3")) == 0
        nodes.network.resolve_partition()
        await until_rows(nodes.dsn("n3", "n3"), 1)
        await connection.close()


async def test_a_paused_server_answers_after_it() -> None:
    """SIGSTOP is silence, SIGCONT goes on."""
    async with cluster(3, replicated=False) as nodes, asyncio.timeout(60):
        connection = await asyncpg.connect(nodes.dsn("n1", "n2"))
        async with paused(nodes.nodes["n2"].server):
            asking = asyncio.create_task(connection.fetchval("SELECT 1"))
            assert not (await asyncio.wait([asking], timeout=0.3))[0]
        assert await asking == 1
        await connection.close()


async def test_the_size_is_three_or_five() -> None:
    """Another number is refused by name."""
    with pytest.raises(ValueError, match="nodes must be 3 or 5: 4"):
        async with cluster(4):
            pass
