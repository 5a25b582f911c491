"""What a hit costs: in memory and in the shared layer, beside cashews, aiocache and redis-py.

CPU microseconds of this process for one hit; rounds of ours and the peers' alternate and medians
are told. The peers' decorators get a key template or builder, their Redis pools a connection for
each task, redis-py the same codec as ours.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import msgspec
from aiocache import SimpleMemoryCache, cached
from cashews import Cache
from redis.asyncio import Redis

from benchmarks.result import Result
from loadpath.cache import EntryOptions, MultiLayerCache, ValkeyStore
from loadpath.local import valkey
from loadpath.resp import RespClient

ROUNDS = 7
HITS = 20_000
PEER_HITS = 2_000
TASKS = 64
L2_HITS = 6_400
L2_PEER_HITS = 1_280
KEYS = 1_000
VALUE = {"id": 7, "name": "Ada Lovelace", "about": "x" * 120, "tags": ["a", "b"], "score": 1.5}

Timed = Callable[[], Awaitable[float]]


async def measured() -> list[Result]:
    """Measure hits in both layers."""
    return [*await in_memory(), *await on_valkey()]


async def in_memory() -> list[Result]:
    """Measure hits in memory."""
    theirs, simple = Cache(), SimpleMemoryCache()
    theirs.setup("mem://", size=10_000)
    tagged = EntryOptions(tags=("users", "page"))
    async with MultiLayerCache(l1_entries=10_000) as ours, MultiLayerCache() as with_tags:
        for number in range(KEYS):
            key = f"user:{number}"
            await ours.set(key, VALUE)
            await with_tags.set(key, VALUE, tagged)
            await theirs.set(key, VALUE, expire=3_600)
            await simple.set(key, VALUE, ttl=3_600)

        @ours.cached("user:{number}")
        async def mine(number: int) -> dict[str, Any]:
            raise LookupError(number)

        @theirs(ttl="1h", key="user:{number}")
        async def cashewed(number: int) -> dict[str, Any]:
            return {**VALUE, "number": number}

        @cached(  # type: ignore[untyped-decorator] # it has no types
            ttl=3_600, cache=SimpleMemoryCache, key_builder=lambda _, number: f"user:{number}"
        )
        async def aiocached(number: int) -> dict[str, Any]:
            return {**VALUE, "number": number}

        for number in range(KEYS):
            await cashewed(number)
            await aiocached(number)
        figures = await rounds(
            probe=lambda: probing(ours, HITS),
            get=lambda: getting(ours.get, HITS),
            tagged=lambda: getting(with_tags.get, HITS),
            call=lambda: calling(mine, HITS),
            cashews=lambda: getting(theirs.get, PEER_HITS),
            aiocache=lambda: getting(simple.get, PEER_HITS),
            cashews_call=lambda: calling(cashewed, PEER_HITS),
            aiocache_call=lambda: calling(aiocached, PEER_HITS),
        )
    return [
        alone("L1 hit, probe", figures["probe"], goal=0.6),
        alone("L1 hit, await get", figures["get"], goal=0.9),
        alone("L1 hit, await get, two tags", figures["tagged"], goal=1.3),
        alone("L1 hit, decorated call", figures["call"], goal=1.6),
        beside("L1 hit, get", figures["get"], "cashews", figures["cashews"], goal=8),
        beside("L1 hit, get", figures["get"], "aiocache", figures["aiocache"], goal=8),
        beside("L1 hit, decorated", figures["call"], "cashews", figures["cashews_call"], goal=20),
        beside("L1 hit, decorated", figures["call"], "aiocache", figures["aiocache_call"], goal=20),
    ]


async def on_valkey() -> list[Result]:
    """Measure hits in the shared layer, 64 tasks at once."""
    theirs = Cache()
    decode, encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode
    async with (
        valkey(relaxed=True) as server,
        RespClient(server.url) as client,
        MultiLayerCache(ValkeyStore(client), l1_entries=0) as ours,
        Redis.from_url(server.url, max_connections=TASKS) as redis,
    ):
        theirs.setup(server.url, max_connections=TASKS)
        await ours.set("key", VALUE)
        await redis.set("plain", encode(VALUE))
        await theirs.set("theirs", VALUE, expire=3_600)

        async def plain() -> Any:
            found = await redis.get("plain")
            assert isinstance(found, bytes)
            return decode(found)

        figures = await rounds(
            ours=lambda: at_once(lambda: ours.get("key"), L2_HITS),
            redis=lambda: at_once(plain, L2_PEER_HITS),
            cashews=lambda: at_once(lambda: theirs.get("theirs"), L2_PEER_HITS),
        )
        await theirs.close()
    name = "L2 hit, 64 tasks"
    peer = "redis-py asyncio with hiredis and msgspec"
    return [
        beside(name, figures["ours"], peer, figures["redis"], goal=8),
        beside(name, figures["ours"], "cashews", figures["cashews"], goal=10),
    ]


async def rounds(**measure: Timed) -> dict[str, float]:
    """Return the median of each, measured in turn."""
    taken: dict[str, list[float]] = {name: [] for name in measure}
    for _ in range(ROUNDS):
        for name, one in measure.items():
            taken[name].append(await one())
    return {name: median(figures) for name, figures in taken.items()}


async def probing(cache: MultiLayerCache, hits: int) -> float:
    """Return the CPU time of one synchronous hit."""
    probe, keys = cache.probe, [f"user:{n % KEYS}" for n in range(hits)]
    begun = time.process_time()
    for key in keys:
        probe(key)
    return (time.process_time() - begun) / hits * 1e6


async def getting(get: Callable[[str], Awaitable[Any]], hits: int) -> float:
    """Return the CPU time of one hit."""
    keys = [f"user:{n % KEYS}" for n in range(hits)]
    assert await get(keys[0]) == VALUE
    begun = time.process_time()
    for key in keys:
        await get(key)
    return (time.process_time() - begun) / hits * 1e6


async def calling(function: Callable[[int], Awaitable[Any]], hits: int) -> float:
    """Return the CPU time of one decorated call that hits."""
    assert (await function(1))["id"] == VALUE["id"]
    begun = time.process_time()
    for number in range(hits):
        await function(number % KEYS)
    return (time.process_time() - begun) / hits * 1e6


async def at_once(get: Callable[[], Awaitable[Any]], hits: int) -> float:
    """Return the CPU time of one hit, of many tasks at once."""
    assert await get() == VALUE

    async def work() -> None:
        for _ in range(hits // TASKS):
            await get()

    begun = time.process_time()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    return (time.process_time() - begun) / hits * 1e6


def alone(name: str, ours: float, *, goal: float) -> Result:
    """Return a figure with a goal on itself."""
    return Result(name=name, ours=ours, unit="us CPU", better="lower", goal=goal, goal_on="ours")


def beside(name: str, ours: float, peer_name: str, peer: float, *, goal: float) -> Result:
    """Return a figure with a goal on the ratio."""
    return Result(
        name=f"{name} beside {peer_name}", ours=ours, unit="us CPU", better="lower", goal=goal,
        peer_name=peer_name, peer=peer,
    )  # fmt: skip
