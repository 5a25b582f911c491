"""Clocks that step: the server's, the database's, the holder's."""

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest

from loadpath.local import Postgres, Valkey
from loadpath.lock import (
    Ask,
    Busy,
    DistributedLock,
    Grant,
    LeaseLost,
    LockOptions,
    Share,
    StaleTokenError,
)
from loadpath.lock.fence_redis import fenced
from loadpath.lock.postgres import PostgresLockStore
from loadpath.lock.redis import RedisLockStore
from loadpath.lock.store import LockStore
from loadpath.resp import RespClient
from tests.faults.lock.clocks import Step, preload, set_offset, stepped_valkey
from tests.faults.lock.test_faults import holder
from tests.integration.lock.conftest import lock_postgres

__all__ = ["lock_postgres"]

HOUR = 3600.0
DAY = 24 * HOUR
TOKEN = "loadpath:lock:{k}:token"

# The library that steps a process's clock comes compiled for this one machine.
needs_library = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="libfaketime's wheel holds a library for Linux on x86-64 alone",
)


@pytest.fixture
async def stepped(tmp_path: Path) -> AsyncIterator[tuple[RespClient, Step]]:
    """Give a client of a server, and what steps its clock."""
    async with stepped_valkey(tmp_path) as running:
        yield running


async def token_of(store: LockStore, name: str, *, ttl: float = 30.0, of: int = 1) -> int:
    """Acquire what must be free."""
    answer = await store.acquire("k", Ask(f"somebody/{name}", ttl, capacity=of))
    assert isinstance(answer, Grant), answer
    return answer.token


@needs_library
@pytest.mark.parametrize("of", [1, 3])
async def test_a_server_whose_clock_steps_forward_ends_leases_early_and_fences_their_holders(
    stepped: tuple[RespClient, Step], of: int
) -> None:
    """The next holder's token is larger; the older one learns it at its next renewal."""
    client, step = stepped
    store = RedisLockStore(client)
    options = LockOptions(ttl=1.5, wait=30.0)
    async with DistributedLock(store, options=options) as lock:
        with pytest.raises(LeaseLost, match="took it away"):  # noqa: PT012 - the section
            async with lock.hold("k", share=Share(of, of)) as held:
                await step(HOUR)
                second = await store.acquire("k", Ask("other/1", 30.0, 0.0, of, of))
                assert isinstance(second, Grant)
                assert second.token > held.token
                await fenced(client, "r", second.token, "SET", "r", "new")
                with pytest.raises(StaleTokenError):
                    await fenced(client, "r", held.token, "SET", "r", "old")
                await asyncio.sleep(60)
    assert await client.execute("GET", "r") == b"new"


@needs_library
async def test_tokens_grow_whatever_the_clock_of_a_server_that_remembers_does(
    stepped: tuple[RespClient, Step],
) -> None:
    """Forward and back, by seconds or by weeks, one holder or several."""
    client, step = stepped
    store = RedisLockStore(client)
    for of in (1, 3):
        tokens = []
        for number, seconds in enumerate((0, 5, -5, HOUR, -HOUR, 30 * DAY, 0, -30 * DAY, 0)):
            await step(seconds)
            for again in range(2):
                name = f"{number}-{again}"
                tokens.append(await token_of(store, name, of=of))
                assert await store.release("k", Ask(f"somebody/{name}", 30.0, capacity=of))
        assert all(before < after for before, after in pairwise(tokens))


@needs_library
async def test_a_token_of_the_future_is_remembered_until_a_day_after_it(
    stepped: tuple[RespClient, Step],
) -> None:
    """A day of no use after the step back does not forget what was granted before it."""
    client, step = stepped
    store = RedisLockStore(client)
    await step(10 * DAY)
    await token_of(store, "early")
    await step(0)
    await client.execute("DEL", "loadpath:lock:{k}")
    await token_of(store, "now")
    assert await client.execute("PTTL", TOKEN) / 1000 > 10.9 * DAY
    await store.acquire("k", Ask("somebody/waits", 30.0, 30.0))  # the other script's turn
    await store.release("k", Ask("somebody/now", 30.0))
    assert await client.execute("PTTL", TOKEN) / 1000 > 10.9 * DAY


@needs_library
async def test_a_step_back_makes_the_lease_of_a_dead_holder_last_so_much_longer(
    stepped: tuple[RespClient, Step],
) -> None:
    """One that lives renews it to its ttl; an operator can take a dead one's away."""
    client, step = stepped
    store = RedisLockStore(client)
    token = await token_of(store, "dead")
    await step(-HOUR)
    busy = await store.acquire("k", Ask("other/1", 30.0))
    assert isinstance(busy, Busy)
    assert HOUR < busy.expires_in < HOUR + 31
    assert await store.renew("k", Ask("somebody/dead", 30.0), 30.0)
    ((_, (holding,), _),) = await store.held()
    assert holding.expires_in <= 30.0
    assert await store.evict("k") == 1
    assert await token_of(store, "next") > token


@needs_library
async def test_a_server_that_forgot_grants_an_older_token_if_its_clock_is_behind(
    stepped: tuple[RespClient, Step],
) -> None:
    """The one assumption that is made, and needed: not behind the moment of the last grant."""
    client, step = stepped
    store = RedisLockStore(client)
    before = await token_of(store, "a")
    await client.execute("FLUSHALL")
    assert await token_of(store, "b") > before
    await client.execute("FLUSHALL")
    await step(-HOUR)
    assert await token_of(store, "c") < before


@needs_library
async def test_a_holder_whose_clock_steps_keeps_its_lease(server: Valkey, tmp_path: Path) -> None:
    """It counts by its monotonic clock: a day forward and back, it renews in time."""
    set_offset(tmp_path / "offset", 0.0)
    async with (
        holder(server.url, "k", 0.6, env={**os.environ, **preload(tmp_path / "offset")}) as held,
        RespClient(server.url) as client,
    ):
        token, _ = await held.until("wrote")
        for seconds in (DAY, -DAY, 0.0):
            set_offset(tmp_path / "offset", seconds)
            await asyncio.sleep(0.8)
            assert (await held.until("wrote"))[0] == token
            busy = await RedisLockStore(client).acquire("k", Ask("other/1", 0.6))
            assert isinstance(busy, Busy)


SHADOW = """
CREATE SCHEMA IF NOT EXISTS stepped;
CREATE TABLE IF NOT EXISTS stepped.clock (ahead interval NOT NULL);
TRUNCATE stepped.clock;
INSERT INTO stepped.clock VALUES ('0 s');
CREATE OR REPLACE FUNCTION stepped.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
$$ SELECT pg_catalog.clock_timestamp() + ahead FROM stepped.clock $$;
"""


@asynccontextmanager
async def stepped_postgres(server: Postgres) -> AsyncIterator[tuple[LockStore, asyncpg.Pool]]:
    """Give a store whose functions read a clock of the test's: it comes first in their path."""
    path = {"search_path": "stepped, public, pg_catalog"}
    async with asyncpg.create_pool(
        server.dsn, min_size=1, max_size=2, server_settings=path
    ) as pool:
        store = PostgresLockStore(pool)
        await pool.execute(SHADOW)
        await store.install()
        await pool.execute("TRUNCATE loadpath_lock CASCADE")
        yield store, pool


async def test_a_database_whose_clock_steps_keeps_its_tokens_in_order(
    lock_postgres: Postgres,
) -> None:
    """It never forgets the last one; a step forward ends a lease early, one back makes it last."""
    async with stepped_postgres(lock_postgres) as (store, pool):

        async def step(seconds: float) -> None:
            await pool.execute(
                "UPDATE stepped.clock SET ahead = make_interval(secs => $1)", seconds
            )

        tokens = [await token_of(store, "first")]
        for seconds in (HOUR, 2 * HOUR, 3 * HOUR):
            assert isinstance(await store.acquire("k", Ask("somebody/early", 30.0)), Busy)
            await step(seconds)
            tokens.append(await token_of(store, f"at {seconds:g}"))
        await step(0.0)
        busy = await store.acquire("k", Ask("somebody/late", 30.0))
        assert isinstance(busy, Busy)
        assert 3 * HOUR < busy.expires_in < 3 * HOUR + 31
        assert await store.evict("k") == 1
        tokens.append(await token_of(store, "after"))
        assert all(before < after for before, after in pairwise(tokens))
