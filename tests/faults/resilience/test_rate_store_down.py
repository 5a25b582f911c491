"""The server that counts requests hangs, dies and comes back in the middle of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from loadpath.core.errors import RejectedError
from loadpath.local import Valkey, valkey
from loadpath.resilience import Rate, RateLimit, RateLimited
from loadpath.resilience.ratelimit.redis import RateStoreDown, RedisRates
from tests.contracts.redis_client import connected

RATE = Rate(limit=1, period=3_600.0, burst=3)


@pytest.fixture
async def server() -> AsyncIterator[Valkey]:
    """Run a server that remembers what it was told after a crash."""
    async with valkey(fsync="always") as server:
        yield server


@pytest.fixture
async def client(server: Valkey) -> AsyncIterator[Redis]:
    """Connect to it."""
    async with connected(server.url) as client:
        yield client


async def ends(limit: RateLimit, requests: int) -> list[str]:
    """Return what requests at once came to."""
    asked = [limit.acquire("a") for _ in range(requests)]
    return [type(end).__name__ for end in await asyncio.gather(*asked, return_exceptions=True)]


async def test_killed_it_fails_closed_and_comes_back_where_it_was(
    server: Valkey, client: Redis
) -> None:
    """`refuse`: no request passes while it is down; what was used up stays used up."""
    store = RedisRates(client, when_down="refuse", timeout=30.0)
    limit = RateLimit(RATE, store)
    await limit.acquire("a")
    await limit.acquire("a")
    await server.kill()
    assert set(await ends(limit, 20)) == {"RateStoreDown"}
    assert store.snapshot().unknown == limit.snapshot().rejected == 20
    await server.restart()
    await limit.acquire("a")
    with pytest.raises(RateLimited):
        await limit.acquire("a")


async def test_killed_it_fails_open_and_comes_back(server: Valkey, client: Redis) -> None:
    """`admit`: every request passes while it is down, counted as unknown, and the limit returns."""
    store = RedisRates(client, when_down="admit", timeout=30.0)
    limit = RateLimit(RATE, store)
    assert (await ends(limit, 5)).count("RateLimited") == 2
    await server.kill()
    assert set(await ends(limit, 20)) == {"NoneType"}
    assert store.snapshot().unknown == 20
    await server.restart()
    with pytest.raises(RateLimited):
        await limit.acquire("a")


@pytest.mark.parametrize("when_down", ["admit", "refuse"])
async def test_a_server_that_hangs_costs_its_timeout_at_most(
    server: Valkey, client: Redis, when_down: str
) -> None:
    """Stopped, not dead: the connection stands and nothing answers; then it goes on."""
    store = RedisRates(client, when_down=when_down, timeout=0.1)  # type: ignore[arg-type] # parametrized
    limit = RateLimit(RATE, store)
    patient = RateLimit(RATE, RedisRates(client, when_down="refuse", timeout=30.0))
    await patient.acquire("warm")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        expected = "NoneType" if when_down == "admit" else "RateStoreDown"
        assert set(await ends(limit, 5)) == {expected}
    finally:
        os.kill(server.pid, signal.SIGCONT)
    after = await ends(patient, 5)
    assert "RateStoreDown" not in after
    assert after.count("NoneType") <= 3


async def test_it_forgets_its_scripts_and_goes_on(client: Redis) -> None:
    """A restart or `SCRIPT FLUSH` drops what was loaded; the next request loads it again."""
    limit = RateLimit(RATE, RedisRates(client, when_down="refuse", timeout=30.0))
    await limit.acquire("a")
    await client.script_flush()
    await limit.acquire("a")


async def test_a_server_out_of_memory_cannot_tell(server: Valkey, client: Redis) -> None:
    """It refuses to write, so nothing is counted: down, for our purpose."""
    del server
    limit = RateLimit(RATE, RedisRates(client, when_down="refuse", timeout=30.0))
    await client.config_set("maxmemory", "1")
    with pytest.raises(RateStoreDown, match="cannot be checked") as caught:
        await limit.acquire("a")
    assert isinstance(caught.value, RejectedError)
    await client.config_set("maxmemory", "0")
    await limit.acquire("a")


async def test_keys_expire_with_their_schedules(client: Redis) -> None:
    """An idle client costs nothing; an active one is there until its schedule has passed."""
    store = RedisRates(client, when_down="refuse", timeout=30.0)
    await RateLimit(Rate(limit=100, burst=5), store).acquire("gone")
    await RateLimit(RATE, store).acquire("stays")
    await asyncio.sleep(0.05)
    assert await client.keys("*") == [b"loadpath:rate:limit:stays"]
    assert 3_500_000 < await client.pttl("loadpath:rate:limit:stays") <= 3_600_000


async def test_a_clock_of_the_server_that_stepped_back_locks_nobody_out(client: Redis) -> None:
    """A schedule from the future counts as a full burst, no more."""
    limit = RateLimit(Rate(limit=10, burst=2), RedisRates(client, when_down="refuse", timeout=30.0))
    await limit.acquire("a")
    await client.set("loadpath:rate:limit:a", "9e15")
    with pytest.raises(RateLimited) as caught:
        await limit.acquire("a")
    assert caught.value.retry_after == pytest.approx(0.1, abs=0.001)


async def test_errors_of_the_program_are_no_outage(client: Redis) -> None:
    """A key of another type is a bug to be seen, even when outages admit."""
    await client.lpush("loadpath:rate:limit:a", "x")
    limit = RateLimit(RATE, RedisRates(client, when_down="admit", timeout=30.0))
    with pytest.raises(Exception, match="WRONGTYPE"):
        await limit.acquire("a")


def test_the_choice_is_the_callers() -> None:
    """There is no default, and no third way."""
    with pytest.raises(TypeError, match="when_down"):
        RedisRates(Redis())  # type: ignore[call-arg] # on purpose
    with pytest.raises(ValueError, match="when_down must be one of"):
        RedisRates(Redis(), when_down="maybe")  # type: ignore[arg-type] # on purpose
    with pytest.raises(ValueError, match="timeout must be above 0 s"):
        RedisRates(Redis(), when_down="admit", timeout=0.0)
