"""Real processes that share a layer."""

import asyncio
import sys
from pathlib import Path

import pytest
from redis.asyncio import RedisCluster

from loadpath.cache import EntryOptions, MultiLayerCache, ValkeyStore
from loadpath.local import Valkey, valkey_cluster
from loadpath.resp import RespClient
from loadpath.resp.redis import RedisCommands
from tests.integration.cache.conftest import Open

STAMPEDE = Path(__file__).with_name("stampede.py")


async def test_two_processes_of_500_tasks_call_the_factory_once(resp_valkey: Valkey) -> None:
    """A cold key, asked for at the same moment."""
    async with RespClient(resp_valkey.url) as client:
        await client.execute("FLUSHALL")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, STAMPEDE, resp_valkey.url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [(await each.communicate())[0].decode().split(" ", 1) for each in processes]
    assert sorted(int(calls) for calls, _ in told) == [0, 1]
    assert {rest for _, rest in told} == {"500 {'value'}\n"}


POPULATE = """
for n = ARGV[1], ARGV[1] + 49999 do redis.call('SET', 'cache:drop:' .. string.format('%.0f', n), '')
end
"""


async def emptied_while_serving(nodes: Open, server: Valkey, keys: int) -> None:
    """Readers of other keys are answered all the time; what matches is gone, and nothing else."""
    async with (
        nodes(heard=False, l1_entries=0) as cache,
        nodes(heard=False, l1_entries=0) as reader,
        RespClient(server.url) as client,
    ):
        await reader.set_many({f"keep:{n}": n for n in range(50)})
        for begin in range(0, keys, 50_000):
            await client.execute("EVAL", POPULATE, 0, begin)
        invalidation = asyncio.create_task(cache.invalidate_pattern("drop:*"))
        rounds = 0
        while not invalidation.done():
            assert len(await reader.get_many(f"keep:{n}" for n in range(50))) == 50
            rounds += 1
            await asyncio.sleep(0.005)
        assert await invalidation == keys
        assert rounds > 20
        assert (
            await client.execute("EXISTS", *(f"cache:drop:{n}" for n in range(0, keys, 999))) == 0
        )
        assert len(await reader.get_many(f"keep:{n}" for n in range(50))) == 50


async def test_a_million_keys_are_invalidated_by_pattern_while_it_serves(
    nodes: Open, resp_valkey: Valkey
) -> None:
    """In steps, so that nobody waits for them."""
    await emptied_while_serving(nodes, resp_valkey, 1_000_000)


@pytest.mark.soak
async def test_ten_million_keys_are_invalidated_by_pattern_while_it_serves(
    nodes: Open, resp_valkey: Valkey
) -> None:
    """The same, ten times as long."""
    await emptied_while_serving(nodes, resp_valkey, 10_000_000)


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
async def test_on_a_cluster_a_hash_tag_keeps_a_cache_together() -> None:
    """Everything works as on one server, patterns as well."""
    tagged = EntryOptions(tags=("t",))
    async with valkey_cluster() as cluster, RedisCluster.from_url(cluster.nodes[0].url) as client:
        store = ValkeyStore(RedisCommands(client), prefix="{c}:")
        async with MultiLayerCache(store, l1_entries=0) as cache:
            await cache.set_many({"a": 1, "b": 2})
            assert await cache.get_or_set("c", lambda: 3, tagged) == 3
            assert await cache.get_many("abc") == {"a": 1, "b": 2, "c": 3}
            assert await cache.invalidate_pattern("b*") == 1
            assert await cache.get_many("abc") == {"a": 1, "c": 3}
            await cache.invalidate_tags("t")
            assert await cache.get_many("abc") == {"a": 1}
            assert await cache.delete("b") == 0
            await cache.invalidate_by_time()
            assert await cache.get_many("abc") == {}


async def test_hostile_keys_and_tags(nodes: Open) -> None:
    """Whatever text they are, each is itself."""
    names = ["\x00", "a\r\n$5", "é", "*", "[a-z]", "\\", " ", "{x}", "x" * 10_000, "#cache:stamp"]
    async with nodes(heard=False, l1_entries=0) as cache:
        for name in names:
            await cache.get_or_set(name, lambda name=name: name, cache.options.with_tags((name,)))
        assert await cache.get_many(names) == {name: name for name in names}
        for number, name in enumerate(names):
            await cache.invalidate_tags(name)
            assert list(await cache.get_many(names)) == names[number + 1 :]
