"""Real servers without Docker, root or apt, and what they do when killed.

`python examples/02_local.py` starts a durable PostgreSQL and a Valkey, a replicated PostgreSQL and
a Valkey cluster of six, kills some of them, and leaves nothing behind.
"""

import asyncio
import time

import asyncpg
from redis.asyncio.cluster import RedisCluster

from loadpath.local import ServerError, postgres, postgres_cluster, valkey, valkey_cluster


async def one_of_each() -> None:
    """Say what a durable PostgreSQL and a Valkey promise, and hold one to it."""
    async with postgres() as record, valkey() as cache:
        print(record.facts)
        print(cache.facts)
        connection = await asyncpg.connect(record.dsn)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
        await record.kill()
        await record.restart()
        (answer,) = await record.row("SELECT answer FROM kept")
        print(f"PostgreSQL after kill -9 and a restart: the answer is still {answer}")


async def quorum() -> None:
    """Commit with one of two replicas dead."""
    async with postgres_cluster(replicas=2, synchronous=1, relaxed=True) as cluster:
        await cluster.replicas[0].kill()
        connection = await asyncpg.connect(cluster.primary.dsn)
        begun = time.perf_counter()
        await connection.execute("CREATE TABLE t (a int)")
        took = (time.perf_counter() - begun) * 1000
        print(f"a commit that any 1 of 2 replicas must have, one of them dead: {took:.1f} ms")
        await connection.close()


async def six_nodes() -> None:
    """Write to every master of a cluster."""
    begun = time.perf_counter()
    async with valkey_cluster(relaxed=True) as cluster:
        took = time.perf_counter() - begun
        print(f"a Valkey cluster of {len(cluster.nodes)} nodes, whole after {took:.1f} s")
        async with RedisCluster.from_url(cluster.url) as client:
            for number in range(100):
                await client.set(f"key-{number}", number)


async def broken() -> None:
    """Ask for something that PostgreSQL refuses."""
    try:
        async with postgres(relaxed=True, settings={"work_mem": "lots"}):
            pass
    except ServerError as error:
        print(f"a start that fails says why: {error.log.splitlines()[0]}")


async def main() -> None:
    """Run all of it."""
    await one_of_each()
    await quorum()
    await six_nodes()
    await broken()


if __name__ == "__main__":
    asyncio.run(main())
