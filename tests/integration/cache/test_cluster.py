"""Caches whose shared layer is a cluster hear each other through what is published."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import RedisCluster

from loadpath.cache import (
    AnnouncedBackplane,
    AnnouncingStore,
    EntryOptions,
    MultiLayerCache,
    ValkeyStore,
)
from loadpath.core.errors import LoadpathError
from loadpath.local import ValkeyCluster, valkey_cluster
from loadpath.resp import RespClient
from loadpath.resp.redis import RedisCommands

PREFIX = "{cache}:"

pytestmark = pytest.mark.blocking


@pytest.fixture
async def cluster() -> AsyncIterator[ValkeyCluster]:
    """Run a cluster with replicas."""
    settings = {"cluster-node-timeout": 1_000}
    async with valkey_cluster(relaxed=True, settings=settings) as running:
        yield running


@asynccontextmanager
async def node(cluster: ValkeyCluster, **given: Any) -> AsyncIterator[MultiLayerCache]:
    """Open a cache as another process would."""
    async with RedisCluster.from_url(cluster.url) as client:
        commands = RedisCommands(client)
        store = AnnouncingStore(ValkeyStore(commands, prefix=PREFIX), commands, prefix=PREFIX)
        backplane = AnnouncedBackplane(commands, prefix=PREFIX)
        async with MultiLayerCache(store, backplane=backplane, **given) as cache:
            yield cache


async def until(done: Callable[[], Any]) -> None:
    """Return once it is done."""
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def served(cache: MultiLayerCache, key: str, value: object) -> None:
    """Return once a cache has a value in memory."""
    async with asyncio.timeout(60):
        while cache.probe(key) != value:
            if await cache.get(key) != value:
                await cache.set(key, value)
            await asyncio.sleep(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_every_change_is_heard_and_a_fail_over_is_survived(cluster: ValkeyCluster) -> None:
    """By key, by tag, by time; when the node with the keys dies, memory is right soon after."""
    await _heard_and_survived(cluster)
    gc.collect()  # redis-py leaves its connections to a node that died to the collector


async def _heard_and_survived(cluster: ValkeyCluster) -> None:
    """Hold what the clients leave, so that nothing of it is held by the test."""
    tagged = EntryOptions(tags=("t",))
    async with node(cluster) as one, node(cluster) as two:
        for change in (
            lambda: one.set("k", "new"),
            lambda: one.delete("k"),
            lambda: one.invalidate_tags("t"),
            one.invalidate_by_time,
        ):
            await one.set("k", "old", tagged)
            await asyncio.sleep(0.05)
            assert await two.get("k") == "old"
            await until(lambda: two.probe("k") == "old")
            await change()
            await until(lambda: two.probe("k") is None)
            assert await two.get("k") in (None, "new")
        owner = await _owner(cluster)
        await served(two, "k", "before")
        await owner.kill()
        await served(one, "k2", "after")
        await served(two, "k2", "after")
        await one.delete("k2")
        await until(lambda: two.probe("k2") is None)
        await owner.restart()


async def _owner(cluster: ValkeyCluster) -> Any:
    """Return the server that holds the keys of the cache."""
    async with RedisCluster.from_url(cluster.url) as client:
        await client.initialize()
        found = client.get_node_from_key(PREFIX)
        assert found is not None
        return next(each for each in cluster.nodes if each.port == found.port)


async def test_without_a_connection_a_cache_does_not_begin(cluster: ValkeyCluster) -> None:
    """Memory that could not hear of changes is not served, and nothing is left behind."""
    client = RespClient(cluster.url)
    with pytest.raises(LoadpathError):
        async with MultiLayerCache(backplane=AnnouncedBackplane(client)):
            pass
