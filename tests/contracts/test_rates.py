"""What every store of a rate limit promises: in memory, and shared in a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from random import Random

import pytest
from redis.asyncio import Redis

from loadpath.local import valkey
from loadpath.resilience import MemoryRates, Rate, RateLimited
from loadpath.resilience.ratelimit.redis import RedisRates
from loadpath.resilience.ratelimit.store import RateStore
from tests.contracts.redis_client import connected

_names = count()


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Redis]:
    """Connect to a real server."""
    async with valkey(relaxed=True) as server, connected(server.url) as client:
        yield client


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest) -> RateStore:
    """Make a store that nobody else uses."""
    if request.param == "memory":
        return MemoryRates()
    client: Redis = request.getfixturevalue("client")
    return RedisRates(client, when_down="refuse", prefix=f"t{next(_names)}:", timeout=30.0)


async def admitted(store: RateStore, key: str, rate: Rate) -> bool:
    """Return whether a request is admitted."""
    try:
        await store.admit(key, rate)
    except RateLimited:
        return False
    return True


async def test_a_burst_and_no_more(store: RateStore) -> None:
    """Of many requests at once exactly the burst is admitted."""
    rate = Rate(limit=1, period=3_600.0, burst=7)
    ends = await asyncio.gather(*(admitted(store, "a", rate) for _ in range(50)))
    assert sum(ends) == 7


async def test_keys_do_not_touch(store: RateStore) -> None:
    """Each has its own schedule, whatever its characters."""
    rate = Rate(limit=1, period=3_600.0)
    for key in ("a", "b", "a:b", "", "키", "a b\n*"):
        assert await admitted(store, key, rate)
        assert not await admitted(store, key, rate)


async def test_waiting_as_told_is_enough(store: RateStore) -> None:
    """The error says when to come back, and then the request is admitted."""
    rate, wait = Rate(limit=20), 0.0
    while not wait:
        try:
            await store.admit("a", rate)
        except RateLimited as refused:
            wait = refused.retry_after
    assert wait <= rate.interval
    await asyncio.sleep(wait)
    await store.admit("a", rate)


async def test_a_refusal_costs_nothing(store: RateStore) -> None:
    """Who hammers is not locked out for longer."""
    rate, waits = Rate(limit=1, period=3_600.0), []
    await store.admit("a", rate)
    for _ in range(50):
        with pytest.raises(RateLimited) as caught:
            await store.admit("a", rate)
        waits.append(caught.value.retry_after)
    assert waits == sorted(waits, reverse=True)
    assert 3_000.0 < waits[-1] < waits[0] <= 3_600.0


async def test_over_time_the_rate_holds(store: RateStore) -> None:
    """Hammered for a while, it admits the burst and what the time allows."""
    loop = asyncio.get_running_loop()
    rate = Rate(limit=100, burst=5)
    start, number = loop.time(), 0
    while number <= 5 or loop.time() - start < 0.3:
        number += await admitted(store, "a", rate)
        await asyncio.sleep(0)
    elapsed = loop.time() - start
    assert number <= 5 + elapsed * 100 + 1


async def test_cancelled_requests_harm_nobody(store: RateStore) -> None:
    """Hundreds are cancelled on their way; later answers still belong to their own requests."""
    chance = Random(9)
    open_, closed = Rate(limit=10**6, burst=10**6), Rate(limit=1, period=3_600.0)
    await store.admit("closed", closed)
    for _ in range(300):
        asked = [asyncio.create_task(admitted(store, "open", open_)) for _ in range(2)]
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
        if chance.random() < 0.1:
            assert await admitted(store, "open", open_)
            assert not await admitted(store, "closed", closed)
