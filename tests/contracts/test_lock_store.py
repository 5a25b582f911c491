"""What every lock store promises, whichever server keeps the leases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from random import Random
from typing import NamedTuple

import asyncpg
import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.sentinel import Sentinel

from loadpath.local import (
    Postgres,
    Valkey,
    ValkeyCluster,
    ValkeySentinel,
    valkey_cluster,
    valkey_sentinel,
)
from loadpath.lock import Ask, Busy, DistributedLock, Grant, Ledger, LockOptions, MemoryLockStore
from loadpath.lock.postgres import PostgresLockStore
from loadpath.lock.redis import RedisLockStore
from loadpath.lock.store import ASK, LockStore
from loadpath.resp import RespClient
from loadpath.resp.redis import RedisCommands
from tests.integration.lock.conftest import lock_postgres
from tests.integration.resp.conftest import resp_valkey

__all__ = ["lock_postgres", "resp_valkey"]


class Servers(NamedTuple):
    """Every server that keeps leases here."""

    valkey: Valkey
    sentinel: ValkeySentinel
    cluster: ValkeyCluster
    postgres: Postgres


Opener = Callable[[Servers], AbstractAsyncContextManager[LockStore]]


@pytest.fixture(scope="module")
async def servers(resp_valkey: Valkey, lock_postgres: Postgres) -> AsyncIterator[Servers]:
    """Run what the other tests have not, for these alone."""
    async with (
        valkey_sentinel(replicas=1, relaxed=True) as watched,
        valkey_cluster(replicas=1, relaxed=True) as cluster,
    ):
        yield Servers(resp_valkey, watched, cluster, lock_postgres)


@asynccontextmanager
async def memory(_: Servers) -> AsyncIterator[LockStore]:
    """Give a store of this process."""
    yield MemoryLockStore()


@asynccontextmanager
async def on_valkey(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on Valkey through our connection."""
    async with RespClient(servers.valkey.url) as client:
        await client.execute("FLUSHALL")
        yield RedisLockStore(client)


@asynccontextmanager
async def through_redis_py(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on Valkey through redis-py."""
    async with Redis.from_url(servers.valkey.url) as client:
        await client.flushall()
        yield RedisLockStore(RedisCommands(client))


@asynccontextmanager
async def through_sentinel(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on the primary that Sentinels name; a grant waits for its replica."""
    group = servers.sentinel
    known = Sentinel(
        group.addresses, sentinel_kwargs={"password": group.password}, password=group.password
    )
    async with known.master_for(group.name) as client:
        await client.flushall()
        yield RedisLockStore(RedisCommands(client), replicas=1, replicas_within=30.0)
    for each in known.sentinels:
        await each.aclose()


@asynccontextmanager
async def on_a_cluster(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on a cluster."""
    async with RedisCluster.from_url(servers.cluster.url) as client:
        await client.flushall(target_nodes="primaries")
        yield RedisLockStore(RedisCommands(client))


@asynccontextmanager
async def on_postgres(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on PostgreSQL whose waiters ask."""
    async with asyncpg.create_pool(
        servers.postgres.dsn, min_size=1, max_size=4, statement_cache_size=0
    ) as pool:
        store = PostgresLockStore(pool)
        await store.install()
        await pool.execute("TRUNCATE loadpath_lock CASCADE")
        yield store


@asynccontextmanager
async def listening_on_postgres(servers: Servers) -> AsyncIterator[LockStore]:
    """Give a store on PostgreSQL whose waiters are told."""
    async with on_postgres(servers) as store:
        assert isinstance(store, PostgresLockStore)
        listener = await asyncpg.connect(servers.postgres.dsn)
        try:
            yield PostgresLockStore(store._pool, listener=listener)
        finally:
            await listener.close()


# redis-py reads its own version from the disk for a new connection.
every_store = pytest.mark.parametrize(
    "opener",
    [
        pytest.param(memory, id="memory"),
        pytest.param(on_valkey, id="valkey"),
        pytest.param(through_redis_py, id="redis-py", marks=pytest.mark.blocking),
        pytest.param(through_sentinel, id="sentinel", marks=pytest.mark.blocking),
        pytest.param(on_a_cluster, id="cluster", marks=pytest.mark.blocking),
        pytest.param(on_postgres, id="postgres"),
        pytest.param(listening_on_postgres, id="postgres-listening"),
    ],
)


@pytest.fixture
async def store(opener: Opener, servers: Servers) -> AsyncIterator[LockStore]:
    """Give an empty store."""
    async with opener(servers) as opened:
        yield opened


def ask(
    name: str, *, ttl: float = 30.0, patience: float = 0.0, weight: int = 1, of: int = 1
) -> Ask:
    """Ask on behalf of somebody."""
    return Ask(f"somebody/{name}", ttl, patience, weight, of)


async def token_of(store: LockStore, key: str, wish: Ask) -> int:
    """Acquire what must be free."""
    answer = await store.acquire(key, wish)
    assert isinstance(answer, Grant), answer
    return answer.token


@every_store
async def test_one_holds_and_the_others_are_told_how_long(store: LockStore) -> None:
    """A second owner is refused until the first one released."""
    await token_of(store, "k", ask("a", ttl=20.0))
    busy = await store.acquire("k", ask("b"))
    assert isinstance(busy, Busy)
    assert 0 < busy.expires_in <= 20.0
    assert await store.release("k", ask("a"))
    await token_of(store, "k", ask("b"))


@every_store
async def test_locks_of_different_keys_know_nothing_of_each_other(store: LockStore) -> None:
    """Whatever letters a key is made of."""
    keys = ["k", "k:token", "{k}", "k}", "}", "%", "%7D", "키 값", "a b\n*?[x]", "k:shared"]
    for key in keys:
        await token_of(store, key, ask("a"))
    assert sorted(held.key for held in await store.held()) == sorted(keys)
    assert [held.key for held in await store.held("a b\n*?")] == ["a b\n*?[x]"]


@every_store
async def test_asking_again_is_idempotent(store: LockStore) -> None:
    """After a lost answer the same owner gets the same token and the full ttl again."""
    first = await token_of(store, "k", ask("a", ttl=5.0))
    assert await token_of(store, "k", ask("a", ttl=50.0)) == first
    ((_, (holding,), _),) = await store.held()
    assert 5.0 < holding.expires_in <= 50.0
    assert (holding.token, holding.label) == (first, "somebody")
    assert await token_of(store, "k", ask("a", ttl=50.0, patience=5.0)) == first


@every_store
async def test_a_lease_ends_by_itself(store: LockStore) -> None:
    """Nobody has to release what its holder has forgotten."""
    await token_of(store, "k", ask("a", ttl=0.05))
    await asyncio.sleep(0.1)
    assert not await store.held()
    assert not await store.renew("k", ask("a"), 30.0)
    assert not await store.release("k", ask("a"))
    await token_of(store, "k", ask("b"))


@every_store
async def test_a_renewed_lease_goes_on(store: LockStore) -> None:
    """Only its owner can renew it."""
    await token_of(store, "k", ask("a", ttl=0.6))
    assert await store.renew("k", ask("a"), 30.0)
    assert not await store.renew("k", ask("b"), 30.0)
    assert not await store.renew("other", ask("a"), 30.0)
    await asyncio.sleep(0.7)
    assert isinstance(await store.acquire("k", ask("b")), Busy)


@every_store
async def test_only_the_owner_releases(store: LockStore) -> None:
    """A late release, with a token or without, harms no later holder."""
    token = await token_of(store, "k", ask("a", ttl=0.05))
    await asyncio.sleep(0.1)
    await token_of(store, "k", ask("b"))
    assert not await store.release("k", ask("a"))
    assert not await store.release("k", ask("a"), token)
    ((_, (holding,), _),) = await store.held()
    assert holding.owner == "somebody/b"


@every_store
async def test_tokens_grow(store: LockStore) -> None:
    """From holder to holder, by release or by expiry."""
    tokens = []
    for number in range(20):
        wish = ask(f"{number}", ttl=0.05 if number % 10 == 0 else 30.0)
        tokens.append(await token_of(store, "k", wish))
        if number % 10:
            assert await store.release("k", wish, tokens[-1])
        else:
            await asyncio.sleep(0.08)
    assert all(before < after for before, after in pairwise(tokens))


@every_store
async def test_the_first_in_the_queue_is_next(store: LockStore) -> None:
    """A release hands over in one step, and nobody overtakes, not even who asks just then."""
    first = await token_of(store, "k", ask("a"))
    for place, name in enumerate(("b", "c")):
        busy = await store.acquire("k", ask(name, patience=20.0))
        assert isinstance(busy, Busy)
        assert busy.ahead == place
    assert await store.release("k", ask("a"), first)
    assert isinstance(await store.acquire("k", ask("d")), Busy)
    second = await token_of(store, "k", ask("b", patience=20.0))
    assert await store.release("k", ask("b"), second)
    third = await token_of(store, "k", ask("c", patience=20.0))
    assert first < second < third


@every_store
async def test_who_leaves_the_queue_is_skipped(store: LockStore) -> None:
    """By releasing what it never got, or by asking no more."""
    token = await token_of(store, "k", ask("a"))
    for name, patience in (("leaves", 20.0), ("dies", 0.05), ("stays", 20.0)):
        await store.acquire("k", ask(name, patience=patience))
    assert not await store.release("k", ask("leaves"))
    await asyncio.sleep(0.1)
    await store.release("k", ask("a"), token)
    ((_, (holding,), waiting),) = await store.held()
    assert (holding.owner, waiting) == ("somebody/stays", 0)


@every_store
async def test_a_waiter_takes_over_from_a_dead_holder(store: LockStore) -> None:
    """The first question after the expiry is answered with the lock."""
    await token_of(store, "k", ask("dead", ttl=0.4))
    busy = await store.acquire("k", ask("b", patience=20.0))
    assert isinstance(busy, Busy)
    await asyncio.sleep(busy.expires_in + 0.02)
    await token_of(store, "k", ask("b", patience=20.0))


@every_store
async def test_permits_are_shared(store: LockStore) -> None:
    """As many as there are, each with a token of its own."""
    tokens = [await token_of(store, "k", ask(name, of=3)) for name in "abc"]
    assert isinstance(await store.acquire("k", ask("d", of=3)), Busy)
    assert len(set(tokens)) == 3
    assert await store.release("k", ask("b", of=3), tokens[1])
    await token_of(store, "k", ask("d", of=3))
    ((_, holdings, _),) = await store.held()
    assert sorted(holding.owner[-1] for holding in holdings) == ["a", "c", "d"]


@every_store
async def test_a_permit_expires_alone(store: LockStore) -> None:
    """The others are held on."""
    await token_of(store, "k", ask("a", of=2, ttl=0.05))
    await token_of(store, "k", ask("b", of=2))
    await asyncio.sleep(0.1)
    await token_of(store, "k", ask("c", of=2))
    assert isinstance(await store.acquire("k", ask("d", of=2)), Busy)
    assert not await store.renew("k", ask("a", of=2), 30.0)
    assert await store.renew("k", ask("b", of=2), 30.0)


@every_store
async def test_a_large_share_waits_for_all_and_is_not_starved(store: LockStore) -> None:
    """A writer waits for the readers before it, and the readers after it wait for the writer."""
    for name in "ab":
        await token_of(store, "k", ask(name, of=10))
    assert isinstance(await store.acquire("k", ask("w", weight=10, of=10, patience=20)), Busy)
    for name in "cd":
        assert isinstance(await store.acquire("k", ask(name, of=10, patience=20)), Busy)
    await store.release("k", ask("a", of=10))
    assert isinstance(await store.acquire("k", ask("w", weight=10, of=10, patience=20)), Busy)
    await store.release("k", ask("b", of=10))
    await token_of(store, "k", ask("w", weight=10, of=10, patience=20))
    await store.release("k", ask("w", weight=10, of=10))
    for name in "cd":
        await token_of(store, "k", ask(name, of=10, patience=20))


@every_store
async def test_an_operator_can_take_a_lock_away(store: LockStore) -> None:
    """From one holder by its token, or from all; the next token is larger all the same."""
    first = await token_of(store, "k", ask("a"))
    assert await store.evict("k", first + 1) == 0
    assert await store.evict("k", first) == 1
    assert await store.evict("k") == 0
    assert await token_of(store, "k", ask("b")) > first
    assert await store.evict("k") == 1


@every_store
async def test_a_waiter_is_told_where_the_store_tells(store: LockStore) -> None:
    """The grant comes by itself: its token, or that its replicas are still to be waited for."""
    told: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def on_grant(owner: str, token: int) -> None:
        told.set_result((owner, token))

    async with store.listening(on_grant, lambda: None, lambda _: None):
        first = await token_of(store, "k", ask("a"))
        await store.acquire("k", ask("b", patience=20.0))
        await store.release("k", ask("a"), first)
        if store.tells:
            async with asyncio.timeout(30):
                owner, token = await told
            assert owner == "somebody/b"
            assert token > first or token == ASK
        ((_, (holding,), _),) = await store.held()
        assert holding.owner == "somebody/b"


@every_store
async def test_the_rules_are_the_ledgers(store: LockStore) -> None:
    """400 random questions get the same answers as the pure rules give."""
    chance = Random(11)
    ledger, kept = Ledger(), {}
    for step in range(400):
        name = chance.choice("abcdef")
        weight = chance.choice((1, 1, 1, 3))
        wish = kept.setdefault(name, ask(name, weight=weight, of=3, patience=600.0, ttl=600.0))
        if chance.random() < 0.5:
            expected, _ = ledger.acquire(wish, now=0.0, wall=0.0)
            answer = await store.acquire("k", wish)
            assert type(answer) is type(expected), step
            if isinstance(expected, Busy) and isinstance(answer, Busy):
                assert answer.ahead == expected.ahead, step
        else:
            released, _ = ledger.release(wish.owner, now=0.0, wall=0.0)
            assert await store.release("k", wish) is released, step
            del kept[name]
        holdings = [one for held in await store.held() for one in held.holdings]
        assert {one.owner for one in holdings} == {one.owner for one in ledger.holdings(0.0)}, step


@every_store
async def test_sections_never_overlap_and_everybody_gets_its_turn(store: LockStore) -> None:
    """Two processes' worth of locks, of unequal size, on one key."""
    inside = 0
    sections: dict[str, int] = {}
    tokens: list[int] = []
    options = LockOptions(wait=60.0, retry_delay=0.005, retry_cap=0.02)

    async def work(lock: DistributedLock, name: str) -> None:
        nonlocal inside
        for _ in range(4):
            async with lock.hold("k", options=options) as held:
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1
                tokens.append(held.token)
                sections[name] = sections.get(name, 0) + 1

    async with DistributedLock(store) as one, DistributedLock(store) as other:
        await asyncio.gather(*(work(one, f"one-{n}") for n in range(5)), work(other, "other"))
        assert not await store.held()
    assert set(sections.values()) == {4}
    assert all(before < after for before, after in pairwise(tokens))
