"""What a transaction makes invalid is invalidated, whoever dies between the commit and that."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from loadpath.cache import InvalidationOutbox, MultiLayerCache, ValkeyStore
from loadpath.local import Postgres, Valkey
from loadpath.resp import RespClient
from tests.faults.cache.outbox_writer import TABLE

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def pool(queue_postgres: Postgres) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool on a database with one row and no invalidations."""
    async with asyncpg.create_pool(queue_postgres.dsn, min_size=1, max_size=4) as opened:
        await opened.execute(
            f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE IF NOT EXISTS outbox_row (value text);"
            " TRUNCATE outbox_row; INSERT INTO outbox_row VALUES ('old')"
        )
        yield opened


@asynccontextmanager
async def outbox_of(
    url: str, pool: asyncpg.Pool, **given: Any
) -> AsyncIterator[tuple[MultiLayerCache, InvalidationOutbox]]:
    """Open a cache of this process and its outbox."""
    given = {"delay": 0.0, "interval": 0.02, **given}
    async with RespClient(url) as client, MultiLayerCache(ValkeyStore(client)) as cache:
        outbox = InvalidationOutbox(cache, pool, table=TABLE, **given)
        await outbox.install()
        async with outbox:
            yield cache, outbox


async def left(pool: asyncpg.Pool) -> int:
    """Return how many rows wait."""
    return int(await pool.fetchval(f"SELECT count(*) FROM {TABLE}"))


async def test_a_commit_invalidates_at_once(server: Valkey, pool: asyncpg.Pool) -> None:
    """Keys, tags, patterns, entities; nothing waits after."""
    async with outbox_of(server.url, pool, interval=60.0) as (cache, outbox):
        cache.rules.register_rule("user", ["user:{id}", "user:{id}:*"])
        keys = ["a", "b:1", "user:1", "user:1:posts", "kept"]
        await cache.set_many(dict.fromkeys(keys, "old"))
        async with outbox.transaction() as (connection, later):
            await connection.execute("UPDATE outbox_row SET value = 'new'")
            later.delete("a")
            later.invalidate_pattern("b:*")
            later.invalidate_entity("user", 1)
            assert await cache.get("a") == "old", "not before the commit"
        assert await cache.get_many(keys) == {"kept": "old"}
        assert await left(pool) == 0


async def test_a_rollback_invalidates_nothing(server: Valkey, pool: asyncpg.Pool) -> None:
    """Neither the block's error, nor an entity without a rule, which ends the transaction."""
    async with outbox_of(server.url, pool) as (cache, outbox):
        await cache.set("a", 1)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction
            async with outbox.transaction() as (connection, later):
                await connection.execute("UPDATE outbox_row SET value = 'new'")
                later.delete("a")
                raise ZeroDivisionError
        with pytest.raises(LookupError, match="nobody"):  # noqa: PT012 - the transaction
            async with outbox.transaction() as (connection, later):
                await connection.execute("UPDATE outbox_row SET value = 'new'")
                later.invalidate_entity("nobody", 1)
        assert await pool.fetchval("SELECT value FROM outbox_row") == "old"
        assert await cache.get("a") == 1
        assert await left(pool) == 0


async def test_another_process_does_what_a_killed_one_left(
    server: Valkey, pool: asyncpg.Pool, queue_postgres: Postgres
) -> None:
    """Kill -9 between the commit and the invalidation: the old value is gone a moment later."""
    async with outbox_of(server.url, pool) as (cache, outbox):
        await cache.set("row", "old")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.cache.outbox_writer",
            server.url, queue_postgres.dsn,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert await process.stdout.readline() == b"committed\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with asyncio.timeout(30):
            while await cache.get("row") is not None or await left(pool):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert outbox.drained >= 1


async def test_rows_stay_until_the_shared_layer_has_heard(
    server: Valkey, pool: asyncpg.Pool
) -> None:
    """The server is down at the commit, and this process ends; another one makes up for it."""
    async with outbox_of(server.url, pool, interval=60.0) as (cache, outbox):
        await cache.set("row", "old")
        server._started().send_signal(signal.SIGSTOP)
        async with outbox.transaction() as (_, later):
            later.delete("row")
        assert await left(pool) == 1
    server._started().send_signal(signal.SIGCONT)
    async with outbox_of(server.url, pool) as (cache, _):
        async with asyncio.timeout(30):
            while await left(pool):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)
        assert await cache.get("row") is None


@pytest.mark.parametrize("given", [{"batch": 0}, {"delay": -1.0}, {"interval": 0.0}])
async def test_what_makes_no_sense_is_refused(pool: asyncpg.Pool, given: dict[str, Any]) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=next(iter(given))):
        InvalidationOutbox(MultiLayerCache(), pool, **given)
