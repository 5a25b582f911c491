"""Replicated PostgreSQL and Valkey clusters on real servers."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio.cluster import RedisCluster

from loadpath.local import (
    FolderError,
    Postgres,
    ServerError,
    ValkeyCluster,
    postgres_cluster,
    valkey_cluster,
)


async def execute(server: Postgres, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    connection = await asyncpg.connect(server.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_replicas_follow_and_only_read() -> None:
    """A synchronous commit is on a replica when it is acknowledged; replicas refuse writes."""
    async with postgres_cluster(replicas=2, synchronous=2, relaxed=True) as cluster:
        await execute(cluster.primary, "CREATE TABLE t AS SELECT 42 AS answer")
        assert "ANY 2 (replica_1, replica_2)" in cluster.primary.facts.policy
        for replica in cluster.replicas:
            await replays(replica, "SELECT answer FROM t", ["42"])
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await execute(replica, "CREATE TABLE u (a int)")


async def replays(replica: Postgres, query: str, expected: list[str]) -> None:
    """Wait until a replica shows what it has received."""
    async with asyncio.timeout(10):
        while True:
            try:
                if await replica.row(query) == expected:
                    return
            except ServerError:
                await asyncio.sleep(0.02)


async def test_a_named_folder_may_be_opened_with_fewer_replicas_and_with_more(base: Path) -> None:
    """A replica that was away catches up when it is asked for again."""
    for number, replicas in enumerate([3, 2, 1, 3]):
        async with postgres_cluster(replicas=replicas, data=base / "c", relaxed=True) as cluster:
            await execute(cluster.primary, f"CREATE TABLE t{number} ()")
            for replica in cluster.replicas:
                await replays(replica, f"SELECT count(*) FROM t{number}", ["0"])


async def test_a_commit_waits_for_its_quorum() -> None:
    """With every replica down a synchronous commit is not acknowledged; with one back it is."""
    async with postgres_cluster(replicas=2, synchronous=1, relaxed=True) as cluster:
        for replica in cluster.replicas:
            await replica.kill()
        commit = asyncio.create_task(execute(cluster.primary, "CREATE TABLE t (a int)"))
        await asyncio.sleep(0.5)
        assert not commit.done()
        await cluster.replicas[1].restart()
        await asyncio.wait_for(commit, 10)


async def test_an_asynchronous_cluster_goes_on_without_replicas() -> None:
    """With no quorum asked for, the primary alone acknowledges."""
    async with postgres_cluster(replicas=1, relaxed=True) as cluster:
        await cluster.replicas[0].kill()
        await asyncio.wait_for(execute(cluster.primary, "CREATE TABLE t (a int)"), 10)


async def test_a_named_postgres_cluster_restarts_and_grows(base: Path) -> None:
    """Data and replicas of a named folder are there again, and a further replica is made."""
    async with postgres_cluster(replicas=1, data=base / "pg", synchronous=1) as cluster:
        await execute(cluster.primary, "CREATE TABLE t AS SELECT 1 AS a")
    async with postgres_cluster(replicas=2, data=base / "pg", synchronous=2) as cluster:
        await execute(cluster.primary, "INSERT INTO t VALUES (2)")
        for replica in cluster.replicas:
            await replays(replica, "SELECT sum(a) FROM t", ["3"])


async def write(cluster: ValkeyCluster, value: str) -> None:
    """Set many keys, so that every master has some."""
    async with RedisCluster.from_url(cluster.url) as client:
        for number in range(50):
            await client.set(f"key-{number}", value)


async def read(cluster: ValkeyCluster) -> set[bytes]:
    """Return the different values of those keys."""
    async with RedisCluster.from_url(cluster.url) as client:
        return {await client.get(f"key-{number}") for number in range(50)}


async def test_a_valkey_cluster_serves_every_slot_at_once() -> None:
    """When the block begins, keys of every master can be written and read."""
    async with valkey_cluster(relaxed=True) as cluster:
        assert len(cluster.nodes) == 6
        await write(cluster, "here")
        assert await read(cluster) == {b"here"}


async def test_a_replica_takes_over_and_the_roles_last(base: Path) -> None:
    """After a master's death its replica serves, and a restart on other ports keeps the roles."""
    settings = {"cluster-node-timeout": 1000}
    async with valkey_cluster(data=base / "vk", fsync="always", settings=settings) as cluster:
        await write(cluster, "before")
        await cluster.nodes[0].kill()
        survivors = ValkeyCluster(nodes=cluster.nodes[1:])
        async with asyncio.timeout(20):
            while True:
                try:
                    await write(survivors, "after")
                    break
                except Exception:  # noqa: BLE001 - the client has many ways to say: not yet
                    await asyncio.sleep(0.1)
    async with valkey_cluster(data=base / "vk", fsync="always", settings=settings) as cluster:
        assert await read(cluster) == {b"after"}


def everything(folder: Path) -> list[Path]:
    """Return all that is in a folder."""
    return sorted(folder.rglob("*"))


async def test_a_cluster_of_another_size_is_refused(base: Path) -> None:
    """A named folder of six nodes is not started as three, and stays as it is."""
    async with valkey_cluster(masters=3, replicas=0, data=base / "vk"):
        pass
    before = everything(base)
    with pytest.raises(FolderError, match="holds a cluster of 3 nodes, not 4"):
        await valkey_cluster(masters=4, replicas=0, data=base / "vk").__aenter__()
    assert everything(base) == before
