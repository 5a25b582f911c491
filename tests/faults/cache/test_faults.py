"""The shared layer dies, stalls, is full, forgets, answers nonsense; a process dies filling."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from loadpath.cache import (
    EntryOptions,
    MultiLayerCache,
    TrackingBackplane,
    ValkeyStore,
    tracking,
)
from loadpath.cache.stats import L2Stats
from loadpath.core.backoff import Backoff
from loadpath.local import Valkey
from loadpath.resp import RespClient
from tests.faults.resp.conftest import QUICK
from tests.faults.resp.link import Link

SOON = Backoff(base=0.02, cap=0.05, jitter="equal")


async def until(done: Callable[[], Any]) -> None:
    """Return once it is done."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@asynccontextmanager
async def node(url: str, **given: Any) -> AsyncIterator[MultiLayerCache]:
    """Open a cache with a connection of its own that hears changes."""
    async with RespClient(url, limits=QUICK, backoff=SOON, begin=tracking()) as client:
        given = {"recovery_delay": 0.05, "l2_timeout": 0.2, **given}
        async with MultiLayerCache(
            ValkeyStore(client), backplane=TrackingBackplane(client), **given
        ) as cache:
            yield cache


async def served(cache: MultiLayerCache, key: str, value: object) -> None:
    """Return once a cache serves a value."""
    async with asyncio.timeout(30):
        while await cache.get(key) != value:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def held(cache: MultiLayerCache, key: str, value: object) -> None:
    """Return once a cache holds a value in memory, although pushes of its write still come."""
    await served(cache, key, value)
    await asyncio.sleep(0.05)
    await served(cache, key, value)
    assert cache.probe(key) == value


def shared(cache: MultiLayerCache) -> L2Stats:
    """Return the counts of the shared layer."""
    stats = cache.snapshot().l2
    assert stats is not None
    return stats


async def test_a_dead_layer_is_done_without_and_found_again(server: Valkey) -> None:
    """No caller hears of it; what was deleted meanwhile is not there when it is back."""
    async with node(server.url) as cache, node(server.url) as other:
        await cache.set_many({"gone": 1, "stays": 2})
        assert await other.get("gone") == 1
        await server.kill()
        assert await cache.get_or_set("new", lambda: "computed") == "computed"
        assert await cache.delete("gone") in (0, 1)
        assert await cache.get("gone") is None
        assert shared(cache).distrusted
        await server.restart()
        await until(lambda: not shared(cache).distrusted)
        await until(lambda: other.probe("gone") is None)
        assert await cache.get("gone") is None
        await cache.set("later", 3)
        await served(other, "later", 3)


async def test_a_stopped_layer_costs_its_timeout_and_no_more(server: Valkey) -> None:
    """SIGSTOP: reads miss, fills go on without it."""
    async with node(server.url) as cache:
        await cache.set("k", 1, EntryOptions(l1_ttl=0.001))
        await asyncio.sleep(0.01)
        server._started().send_signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(10):
                assert await cache.get("k") is None
                assert await cache.get_or_set("k", lambda: 2) == 2
        finally:
            server._started().send_signal(signal.SIGCONT)
        assert shared(cache).failures >= 1
        assert cache.snapshot().filling == 0


async def test_a_full_layer_stores_nothing_and_serves_nothing_old(server: Valkey) -> None:
    """`maxmemory` with noeviction: writes are refused; the old value is not served for the new."""
    async with node(server.url) as cache, RespClient(server.url) as admin:
        await cache.set("k", "old")
        await admin.execute("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1)
        await cache.set("k", "new")
        assert await cache.get("k") in (None, "new")
        assert await cache.get_or_set("fresh", lambda: 1) == 1
        await until(lambda: not shared(cache).waiting)
        assert await admin.execute("EXISTS", "cache:k") == 0
        assert await cache.invalidate_tags("t") is None
        assert shared(cache).waiting == 1, "a barrier needs memory: it is raised later"
        await admin.execute("CONFIG", "SET", "maxmemory", 0)
        await until(lambda: not shared(cache).distrusted)
        await cache.set("k", "newer")
        assert await cache.get("k") == "newer"


@pytest.mark.parametrize(
    "command",
    [
        ["SET", "cache:k", "garbage"],
        ["SET", "cache:k", b"1" + b"9" * 16 + b"\x94\xc1"],
        ["SET", "cache:k", ""],
        ["LPUSH", "cache:k", "a", "b"],
        ["HSET", "cache:k", "a", "b"],
    ],
)
async def test_garbage_is_a_miss_and_is_replaced(server: Valkey, command: list[Any]) -> None:
    """Whatever a foreign client put there."""
    async with node(server.url) as cache, RespClient(server.url) as foreign:
        await foreign.execute(*command)
        assert await cache.get("k") is None
        assert await cache.get_or_set("k", lambda: "good") == "good"
        await served(cache, "k", "good")
        assert shared(cache).failures == 0


async def test_evicted_barriers_bring_nothing_back(server: Valkey) -> None:
    """A server that evicts any key may forget a tag's barrier; its entries stay invalid."""
    tagged = EntryOptions(tags=("t",))
    async with node(server.url, l1_entries=0) as cache, RespClient(server.url) as foreign:
        await cache.set("old", 1, tagged)
        await cache.invalidate_tags("t")
        await foreign.execute("DEL", "#cache:barrier:t")
        assert await cache.get("old") is None
        await cache.set("new", 2, tagged)
        assert await cache.get_many(["old", "new"]) == {"new": 2}
        await foreign.execute("DEL", "#cache:barrier:", "#cache:stamp")
        assert await cache.get("new") is None
        await cache.set("newer", 3, tagged)
        assert await cache.get_many(["old", "new", "newer"]) == {"newer": 3}


async def test_a_process_that_dies_while_filling_holds_up_others_for_its_lease_at_most(
    server: Valkey,
) -> None:
    """Its claim runs out, and the next one fills."""
    store_options = EntryOptions(lease=0.3)
    async with node(server.url) as cache, RespClient(server.url) as dying:
        claimed = await ValkeyStore(dying).claim(
            "k", token="dead", lease=0.3, seen=b"", life=60.0, tags=()
        )
        assert claimed == "granted"
        async with asyncio.timeout(10):
            assert await cache.get_or_set("k", lambda: 1, store_options) == 1
        assert await cache.get("k") == 1


async def test_a_slow_factory_keeps_its_claim(server: Valkey) -> None:
    """Longer than the lease, renewed: the value is stored, and nobody else computes."""
    options, calls = EntryOptions(lease=0.15), 0

    async def slow() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.6)
        return "slow"

    async with node(server.url) as one, node(server.url) as two:
        values = await asyncio.gather(*(each.get_or_set("k", slow, options) for each in (one, two)))
        assert values == ["slow", "slow"]
        assert calls == 1
        assert await two.get("k") == "slow"


async def test_a_cut_backplane_is_noticed_and_memory_distrusted(server: Valkey, link: Link) -> None:
    """What changed while it was cut is not served once it is there again."""
    async with node(link.url(server.url)) as cut, node(server.url) as other:
        await other.set("k", "old")
        await held(cut, "k", "old")
        link.flowing.clear()
        link.cut()
        await other.set("k", "new")
        assert cut.probe("k") == "old", "stale while cut, for its ttl at most"
        link.flowing.set()
        await until(lambda: cut.probe("k") is None)
        await served(cut, "k", "new")


async def test_a_read_that_is_overtaken_by_an_invalidation_keeps_nothing(
    server: Valkey, link: Link
) -> None:
    """The reply is on its way while the key is deleted in this process."""
    async with node(server.url) as writer:
        await writer.set("k", "old")
        async with (
            RespClient(link.url(server.url)) as slow,
            MultiLayerCache(ValkeyStore(slow), l2_timeout=20.0) as cache,
        ):
            link.flowing.clear()
            read = asyncio.create_task(cache.get("k"))
            await asyncio.sleep(0.05)
            deletion = asyncio.create_task(cache.delete("k"))
            await asyncio.sleep(0.05)
            link.flowing.set()
            await asyncio.gather(read, deletion)
            assert cache.probe("k") is None
            assert await cache.get("k") is None


async def test_a_write_cancelled_at_any_moment_leaves_no_old_value(server: Valkey) -> None:
    """The reply may be lost with the caller: the key is forgotten, or holds the new value."""
    async with node(server.url) as cache:
        for steps in range(12):
            key = f"k{steps}"
            await cache.set(key, "old")
            task = asyncio.create_task(cache.set(key, "new"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            begun = steps > 0
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda: not shared(cache).waiting)
            if begun:
                assert await cache.get(key) in (None, "new")


async def test_callers_cancelled_at_random_leak_nothing(server: Valkey) -> None:
    """No flight, no watch, no claim, whenever they were cancelled."""
    async with node(server.url) as cache, RespClient(server.url) as admin:

        async def slow() -> int:
            await asyncio.sleep(0.003)
            return 1

        tasks = []
        for number in range(300):
            tasks.append(asyncio.create_task(cache.get_or_set(f"k{number % 20}", slow)))
            if number % 3 == 0:
                await asyncio.sleep(0)
            if number % 2:
                tasks[number * 7 % len(tasks)].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: cache.snapshot().filling == 0)
        assert len(cache._layers.watches) == 0
        async with asyncio.timeout(10):
            while await admin.execute("KEYS", "#cache:lease:*"):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)
