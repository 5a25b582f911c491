"""What every shared layer promises to the cache above it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import pytest
from redis.asyncio import Redis, RedisCluster

from loadpath.cache import AnnouncingStore, MemoryStore, Store, ValkeyStore
from loadpath.cache.codec import HEAD, decode, encode
from loadpath.local import Valkey, ValkeyCluster, valkey, valkey_cluster
from loadpath.resp import RespClient
from loadpath.resp.redis import RedisCommands


class Servers(NamedTuple):
    """Hold what the layers are on."""

    one: Valkey
    cluster: ValkeyCluster


Opener = Callable[[Servers], AbstractAsyncContextManager[Store]]


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[Servers]:
    """Run one server and a cluster."""
    async with (
        valkey(relaxed=True) as one,
        valkey_cluster(replicas=0, relaxed=True) as cluster,
    ):
        yield Servers(one, cluster)


@asynccontextmanager
async def in_memory(_: Servers) -> AsyncIterator[Store]:
    """Give the layer without a server."""
    yield MemoryStore()


@asynccontextmanager
async def on_valkey(servers: Servers) -> AsyncIterator[Store]:
    """Give the layer on an empty server, by our own connection."""
    async with RespClient(servers.one.url) as client:
        await client.execute("FLUSHALL")
        yield ValkeyStore(client, prefix="{c}:")


@asynccontextmanager
async def through_redis_py(servers: Servers) -> AsyncIterator[Store]:
    """Give the layer on an empty server, by redis-py."""
    async with Redis.from_url(servers.one.url) as client:
        await client.flushall()
        yield ValkeyStore(RedisCommands(client))


@asynccontextmanager
async def announcing(servers: Servers) -> AsyncIterator[Store]:
    """Give the layer on an empty server, whose changes are published."""
    async with RespClient(servers.one.url) as client:
        await client.execute("FLUSHALL")
        yield AnnouncingStore(ValkeyStore(client), client)


@asynccontextmanager
async def on_cluster(servers: Servers) -> AsyncIterator[Store]:
    """Give the layer on an empty cluster, by redis-py."""
    async with RedisCluster.from_url(servers.cluster.url) as client:
        await client.flushall(target_nodes=RedisCluster.PRIMARIES)
        commands = RedisCommands(client)
        store = ValkeyStore(commands, prefix="{c}:")
        yield AnnouncingStore(store, commands, prefix="{c}:")


every_store = pytest.mark.parametrize(
    "opener",
    [
        pytest.param(in_memory, id="memory"),
        pytest.param(on_valkey, id="valkey"),
        pytest.param(announcing, id="announcing"),
        pytest.param(through_redis_py, id="redis-py", marks=pytest.mark.blocking),
        pytest.param(on_cluster, id="cluster", marks=pytest.mark.blocking),
    ],
)
TAGS = ("t1", "t2")


def body(value: object, *, tags: tuple[str, ...] = ()) -> bytes:
    """Return an encoded entry."""
    return encode(value, created=0.0, fresh=60.0, tags=tags)


async def value(store: Store, key: str) -> object:
    """Return what a reader that knows floor and barriers makes of a key."""
    floor, data = await store.read((key,))
    if data is None:
        return "nothing"
    stored = decode(data)
    if floor is None or stored.stamp <= int(floor):
        return "below the floor"
    for barrier in await store.barriers(stored.tags) if stored.tags else ():
        if barrier is None or stored.stamp <= int(barrier):
            return "behind a barrier"
    return stored.value


async def claim(store: Store, key: str, token: str, **given: object) -> str:
    """Claim a key that is not there."""
    arguments = {"lease": 10.0, "seen": b"", "life": 60.0, "tags": (), **given}
    return await store.claim(key, token=token, **arguments)  # type: ignore[arg-type] # as given


async def fill(store: Store, key: str, token: str, what: object, *tags: str) -> bool:
    """Fill a claimed key."""
    return await store.fill(key, body(what, tags=tags), token=token, life=60.0, tags=tags)


@every_store
async def test_one_fills_and_the_others_wait(opener: Opener, servers: Servers) -> None:
    """Asking again is the same as asking once; after the fill the others see something new."""
    async with opener(servers) as store:
        assert await claim(store, "k", "a") == "granted"
        assert await claim(store, "k", "a") == "granted"
        assert await claim(store, "k", "b") == "busy"
        assert await fill(store, "k", "a", 1)
        assert await value(store, "k") == 1
        assert await claim(store, "k", "b") == "changed"
        assert not await fill(store, "k", "a", 2), "a claim is good for one fill"


@every_store
async def test_who_saw_a_value_may_replace_it(opener: Opener, servers: Servers) -> None:
    """But only that one."""
    async with opener(servers) as store:
        await store.put("k", body(1), life=60.0, tags=())
        _, seen = await store.read(("k",))
        assert seen is not None
        await store.put("k", body(2), life=60.0, tags=())
        assert await claim(store, "k", "a", seen=seen[:HEAD]) == "changed"
        _, seen = await store.read(("k",))
        assert seen is not None
        assert await claim(store, "k", "a", seen=seen[:HEAD]) == "granted"
        assert await value(store, "k") == 2, "the old value is there until the new one"
        assert await fill(store, "k", "a", 3)
        assert await value(store, "k") == 3


@every_store
async def test_nothing_begun_before_an_invalidation_is_stored_after_it(
    opener: Opener, servers: Servers
) -> None:
    """By key, by pattern, by a write; by tag and by time it is stored and invalid."""
    async with opener(servers) as store:
        for number, invalidate in enumerate(
            (
                lambda: store.remove(["k0"]),
                lambda: _all(store.remove_matching("k?")),
                lambda: store.put("k2", body("new"), life=60.0, tags=()),
            )
        ):
            key = f"k{number}"
            assert await claim(store, key, "a") == "granted"
            await invalidate()
            assert not await store.renew(key, token="a", lease=10.0)
            assert not await fill(store, key, "a", "old")
        assert await value(store, "k2") == "new"
        for key, again in (
            ("tagged", lambda: store.invalidate_tags(["t2"])),
            ("any", lambda: store.invalidate_before(0.0)),
        ):
            assert await claim(store, key, "a", tags=TAGS) == "granted"
            await again()
            await fill(store, key, "a", "old", *TAGS)
            assert await value(store, key) in ("behind a barrier", "below the floor")
            await store.put(key, body("new", tags=TAGS), life=60.0, tags=TAGS)
            assert await value(store, key) == "new"


async def _all(steps: AsyncIterator[int]) -> int:
    return sum([removed async for removed in steps])


@every_store
async def test_tags_learnt_late_protect_as_well(opener: Opener, servers: Servers) -> None:
    """A factory may name them when it is done; an invalidation in between counts."""
    async with opener(servers) as store:
        assert await claim(store, "k", "a") == "granted"
        await store.invalidate_tags(["late"])
        await fill(store, "k", "a", "old", "late")
        assert await value(store, "k") == "behind a barrier"


@every_store
async def test_a_claim_is_released_renewed_and_runs_out(opener: Opener, servers: Servers) -> None:
    """Only by its owner; and a dead owner's claim goes by itself."""
    async with opener(servers) as store:
        assert await claim(store, "k", "a") == "granted"
        await store.release("k", token="b")
        assert await claim(store, "k", "b") == "busy"
        assert await store.renew("k", token="a", lease=10.0)
        assert not await store.renew("k", token="b", lease=10.0)
        await store.release("k", token="a")
        assert await claim(store, "k", "b", lease=0.02) == "granted"
        await asyncio.sleep(0.1)
        assert await claim(store, "k", "c") == "granted"


@every_store
async def test_a_tag_invalidates_all_of_its_entries_and_no_other(
    opener: Opener, servers: Servers
) -> None:
    """However many; entries written later are valid."""
    async with opener(servers) as store:
        for number in range(20):
            tags = ("even",) if number % 2 == 0 else ("odd",)
            await store.put(str(number), body(number, tags=tags), life=60.0, tags=tags)
        await store.invalidate_tags(["even"])
        await store.put("0", body("new", tags=("even",)), life=60.0, tags=("even",))
        found = [await value(store, str(number)) for number in range(20)]
        assert found[0] == "new"
        assert set(found[2::2]) == {"behind a barrier"}
        assert found[1::2] == list(range(1, 20, 2))


@every_store
async def test_a_pattern_removes_what_matches_as_a_whole(opener: Opener, servers: Servers) -> None:
    """Neither what begins alike nor what a bracket would mean to the server."""
    keys = ["user:1", "user:10", "user:1:profile", "superuser:1", "user:[1]", "user:é", "user:x"]
    async with opener(servers) as store:
        for pattern, gone in (
            ("user:1", ["user:1"]),
            ("user:[1]", ["user:[1]"]),
            ("user:?", ["user:1", "user:x", "user:é"]),
            ("user:1*", ["user:1", "user:10", "user:1:profile"]),
            (r"user:\*", []),
        ):
            for key in keys:
                await store.put(key, body(key), life=60.0, tags=())
            assert await _all(store.remove_matching(pattern)) == len(gone)
            left = [key for key in keys if await value(store, key) != "nothing"]
            assert left == [key for key in keys if key not in gone]


@every_store
async def test_by_age(opener: Opener, servers: Servers) -> None:
    """Everything older goes, everything younger stays."""
    async with opener(servers) as store:
        await store.put("old", body(1), life=60.0, tags=())
        await asyncio.sleep(0.3)
        await store.put("young", body(2), life=60.0, tags=())
        await store.invalidate_before(0.15)
        assert await value(store, "old") == "below the floor"
        assert await value(store, "young") == 2
        await store.invalidate_before(10.0)
        assert await value(store, "old") == "below the floor", "a floor never sinks"


@every_store
async def test_removing_tells_how_many_were_there(opener: Opener, servers: Servers) -> None:
    """And entries run out by themselves."""
    async with opener(servers) as store:
        await store.put("a", body(1), life=60.0, tags=())
        await store.put("b", body(1), life=0.02, tags=())
        await asyncio.sleep(0.1)
        assert await store.remove(["a", "b", "c"]) == 1
        assert await store.remove([]) == 0
