"""What only the store on Valkey and Redis has: plain deletes, replicas, a cluster."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from loadpath.local import Valkey, valkey, valkey_cluster
from loadpath.lock import (
    Ask,
    DistributedLock,
    Grant,
    LockOptions,
    LockTimeout,
    LockUnavailableError,
    TooFewReplicasError,
)
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import CommandError, Commands, RespClient
from loadpath.resp.redis import RedisCommands

ALONE = Ask("somebody/1", 30.0)


class Older:
    """A server that does not know some commands, and what it was asked."""

    def __init__(self, client: RespClient, *unknown: str) -> None:
        self._client = client
        self._unknown = unknown
        self.heard: list[Any] = []

    async def execute(self, *command: Any) -> Any:
        """Run a command, if the server knows it."""
        self.heard.append(command[0])
        if command[0] in self._unknown:
            raise CommandError(f"ERR unknown command '{command[0]}', with args beginning with: ")
        return await self._client.execute(*command)


@pytest.mark.parametrize("unknown", [(), ("DELIFEQ", "DELEX")], ids=["valkey 9", "older"])
async def test_a_release_is_a_plain_command_where_the_server_has_one(
    client: RespClient, unknown: tuple[str, ...]
) -> None:
    """Elsewhere a script, after the server was asked once."""
    server = Older(client, *unknown)
    store = RedisLockStore(server)
    for _ in range(4):
        answer = await store.acquire("k", ALONE)
        assert isinstance(answer, Grant)
        assert await store.release("k", ALONE, answer.token)
        assert not await store.release("k", ALONE, answer.token)
    if unknown:
        assert server.heard.count("DELIFEQ") == server.heard.count("DELEX") == 1
        assert server.heard.count("EVALSHA") >= 8
    else:
        assert server.heard.count("DELIFEQ") == 8
        assert "DELEX" not in server.heard


async def test_an_owner_is_known_through_another_store(client: RespClient) -> None:
    """What it holds is its own, whatever channel the store hears on."""
    granted = await RedisLockStore(client).acquire("k", ALONE)
    assert isinstance(granted, Grant)
    other = RedisLockStore(client)
    assert await other.acquire("k", ALONE) == granted
    assert await other.renew("k", ALONE, 30.0)
    assert await other.release("k", ALONE, granted.token)


async def test_another_error_of_a_plain_delete_is_told(client: RespClient) -> None:
    """It is no reason to try another way."""

    class Refusing(Older):
        async def execute(self, *command: Any) -> Any:
            if command[0] == "DELIFEQ":
                raise CommandError("NOPERM this user has no permissions")
            return await super().execute(*command)

    store = RedisLockStore(Refusing(client))
    answer = await store.acquire("k", ALONE)
    assert isinstance(answer, Grant)
    with pytest.raises(CommandError, match="NOPERM"):
        await store.release("k", ALONE, answer.token)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"replicas": -1}, "replicas"),
        ({"replicas_within": 0.0}, "replicas_within"),
        ({"prefix": "a{b}"}, "braces"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], says: str) -> None:
    """When they are given."""
    with pytest.raises(ValueError, match=says):
        RedisLockStore(RespClient("redis://"), **wrong)
    with pytest.raises(ValueError, match="pinned"):
        RedisLockStore(Older(RespClient("redis://")), replicas=1)


@asynccontextmanager
async def replicated() -> AsyncIterator[tuple[Valkey, Valkey]]:
    """Run a server and its replica."""
    quick: dict[str, str | int | float] = {"repl-diskless-sync-delay": 0}
    async with (
        valkey(relaxed=True, settings=quick) as primary,
        valkey(relaxed=True) as replica,
    ):
        async with RespClient(replica.url) as client:
            await client.execute("CONFIG", "SET", "masterauth", primary.password)
            await client.execute("REPLICAOF", "127.0.0.1", primary.port or 0)
            async with asyncio.timeout(60):
                while not await _follows(client):  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.05)
        yield primary, replica


async def _follows(client: RespClient) -> bool:
    return b"master_link_status:up" in await client.execute("INFO", "replication")


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Commands]:
    """Give our client."""
    async with RespClient(url) as client:
        yield client


@asynccontextmanager
async def theirs(url: str) -> AsyncIterator[Commands]:
    """Give redis-py's."""
    async with Redis.from_url(url) as client:
        yield RedisCommands(client)


@pytest.mark.parametrize(
    "opened", [ours, pytest.param(theirs, marks=pytest.mark.blocking, id="redis-py")]
)
async def test_a_grant_waits_for_its_replicas(opened: Any) -> None:
    """With too few of them nothing is held; a waiter that is told asks for the same."""
    async with replicated() as (primary, replica), opened(primary.url) as client:
        store = RedisLockStore(client, replicas=1, replicas_within=0.3)
        async with (
            DistributedLock(store, options=LockOptions(wait=60.0)) as lock,
            RespClient(replica.url) as there,
        ):
            async with lock.hold("k"):
                waiting = asyncio.create_task(lock.acquire("k"))
                assert await there.execute("EXISTS", "loadpath:lock:{k}") == 1
                while not lock.snapshot().waiting:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0)
            await lock.release(await waiting)
            kept = await lock.acquire("kept")
            replica._started().send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(LockUnavailableError, match="0 of 1 replicas"):
                    await lock.acquire("k", options=LockOptions(wait=0.0))
                with pytest.raises(TooFewReplicasError):
                    await store.renew("kept", kept.ask, 30.0)
                assert [held.key for held in await store.held()] == ["kept"]
            finally:
                replica._started().send_signal(signal.SIGCONT)
            await lock.release(await lock.acquire("k"))
            assert await store.renew("kept", kept.ask, 30.0)


async def test_tokens_grow_through_a_failover_that_lost_the_last_grant() -> None:
    """The replica that takes over has never heard of it; its clock has gone on."""
    async with replicated() as (primary, replica):
        tokens = []
        async with RespClient(primary.url) as client:
            for number in range(3):
                if number == 2:
                    replica._started().send_signal(signal.SIGSTOP)
                    await client.execute("CLIENT", "KILL", "TYPE", "REPLICA")
                answer = await RedisLockStore(client).acquire("k", Ask(f"a/{number}", 0.01))
                assert isinstance(answer, Grant)
                tokens.append(answer.token)
                await asyncio.sleep(0.05)
        await primary.kill()
        replica._started().send_signal(signal.SIGCONT)
        async with RespClient(replica.url) as client:
            await client.execute("REPLICAOF", "NO", "ONE")
            answer = await RedisLockStore(client).acquire("k", Ask("b/1", 30.0))
            assert isinstance(answer, Grant)
            tokens.append(answer.token)
    assert all(before < after for before, after in pairwise(tokens))


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
async def test_a_grant_on_a_cluster_waits_for_the_replicas_of_its_primary() -> None:
    """And on every primary what is held is listed and can be taken away."""
    keys = [f"k{number}" for number in range(12)]
    async with valkey_cluster(relaxed=True) as cluster, RedisCluster.from_url(cluster.url) as redis:
        store = RedisLockStore(RedisCommands(redis), replicas=1, replicas_within=0.5)
        async with DistributedLock(store, options=LockOptions(wait=60.0)) as lock:
            for key in keys:
                await lock.acquire(key)
            assert sorted(held.key for held in await store.held()) == sorted(keys)
            assert [await store.evict(key) for key in keys] == [1] * len(keys)
            assert not await store.held()
            replicas = cluster.nodes[3:]
            for replica in replicas:
                replica._started().send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(LockUnavailableError, match="0 of 1 replicas"):
                    await lock.acquire("k", options=LockOptions(wait=0.0))
            finally:
                for replica in replicas:
                    replica._started().send_signal(signal.SIGCONT)
            await lock.release(await lock.acquire("k"))


async def test_a_holder_is_told_that_somebody_waits(client: RespClient) -> None:
    """Its release hands over at once, without the plain delete that would fail."""
    server = Older(client)
    store = RedisLockStore(server, publications=client)
    async with DistributedLock(store) as lock:
        held = await lock.acquire("k")
        waiting = asyncio.create_task(lock.acquire("k"))
        async with asyncio.timeout(30):
            while not held.wanted:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
        await lock.release(held)
        assert "DELIFEQ" not in server.heard
        await lock.release(await waiting)


@pytest.mark.parametrize(
    "opened", [ours, pytest.param(theirs, marks=pytest.mark.blocking, id="redis-py")]
)
async def test_no_wake_up_is_lost(opened: Any, resp_valkey: Valkey, client: RespClient) -> None:
    """Under load, with holders that leave at once and waiters that give up or are cancelled.

    Who misses a wake-up asks again after 100 s, which is longer than this test may take.
    """
    chance = Random(6)
    options = LockOptions(ttl=600.0, wait=600.0)
    hasty = LockOptions(ttl=600.0, wait=0.003)
    done = 0

    async def work(lock: DistributedLock) -> None:
        nonlocal done
        for _ in range(15):
            with suppress(LockTimeout):
                async with lock.hold("k", options=hasty if chance.random() < 0.2 else options):
                    await asyncio.sleep(chance.choice((0.0, 0.0, 0.001)))
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.002)))
        done += 1

    async with AsyncExitStack() as stack:
        locks = []
        for _ in range(3):
            store = RedisLockStore(await stack.enter_async_context(opened(resp_valkey.url)))
            locks.append(await stack.enter_async_context(DistributedLock(store)))
        async with asyncio.timeout(60):
            tasks = [asyncio.create_task(work(lock)) for lock in locks * 8]
            for task in tasks[:6]:
                await asyncio.sleep(chance.uniform(0, 0.02))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while any(one.snapshot().cleaning for one in locks):  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.01)
    assert done >= len(tasks) - 6
    assert not await client.execute("EXISTS", "loadpath:lock:{k}", "loadpath:lock:{k}:queue")


@asynccontextmanager
async def one_server(server: Valkey) -> AsyncIterator[Any]:
    """Give redis-py on a server of its own."""
    async with Redis.from_url(server.url) as redis:
        await redis.config_resetstat()
        yield redis


@asynccontextmanager
async def a_cluster(_: Valkey) -> AsyncIterator[Any]:
    """Give redis-py on a cluster."""
    async with (
        valkey_cluster(replicas=0, relaxed=True) as running,
        RedisCluster.from_url(running.url) as redis,
    ):
        yield redis


async def asked(redis: Any) -> int:
    """Return how many scripts the servers have run."""
    replies = await redis.info("commandstats", **_everywhere(redis))
    each = replies.values() if isinstance(redis, RedisCluster) else [replies]
    return sum(one.get("cmdstat_evalsha", {"calls": 0})["calls"] for one in each)


def _everywhere(redis: Any) -> dict[str, str]:
    return {"target_nodes": "primaries"} if isinstance(redis, RedisCluster) else {}


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
@pytest.mark.parametrize("opened", [one_server, a_cluster])
async def test_waiters_through_redis_py_do_not_poll(opened: Any, resp_valkey: Valkey) -> None:
    """Twenty of two processes ask when they come, and then hear of their turn."""
    async with opened(resp_valkey) as redis:
        here, there = (RedisLockStore(RedisCommands(redis)) for _ in range(2))
        options = LockOptions(ttl=600.0, wait=60.0)
        async with (
            DistributedLock(here, options=options) as one,
            DistributedLock(there, options=options) as other,
        ):
            held = await one.acquire("k")

            async def section(lock: DistributedLock) -> None:
                async with lock.hold("k"):
                    pass

            tasks = [asyncio.create_task(section(lock)) for lock in (one, other) * 10]
            async with asyncio.timeout(30):
                while (await here.held())[0].waiting < len(tasks):  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.01)
            before = await asked(redis)
            await asyncio.sleep(1.0)
            assert await asked(redis) == before
            await one.release(held)
            await asyncio.gather(*tasks)
            assert await asked(redis) - before <= 2 * len(tasks)
