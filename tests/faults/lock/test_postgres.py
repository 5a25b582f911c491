"""A database that dies or drops sessions in the middle of sections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Postgres, postgres
from loadpath.lock import DistributedLock, LeaseLost, LockOptions
from loadpath.lock.postgres import PostgresLockStore

SHORT = LockOptions(ttl=2.0, wait=60.0)


@asynccontextmanager
async def locks(server: Postgres) -> AsyncIterator[DistributedLock]:
    """Give a lock over a pool of a server."""
    async with asyncpg.create_pool(server.dsn, min_size=1, max_size=4, timeout=5) as pool:
        store = PostgresLockStore(pool)
        await store.install()
        async with DistributedLock(store, options=SHORT) as lock:
            yield lock


async def test_dropped_sessions_cost_nothing() -> None:
    """A lease is a row, no session: renewals go on over new ones."""
    async with postgres(relaxed=True) as server, locks(server) as lock:
        admin = await asyncpg.connect(server.dsn)
        async with lock.hold("k") as held:
            for _ in range(8):
                await asyncio.sleep(0.3)
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            held.check()
        await admin.close()


async def test_a_killed_database_ends_the_section_and_remembers_the_token() -> None:
    """Renewals fail, the section ends in time; after the restart the next token is larger."""
    async with postgres(relaxed=True) as server, locks(server) as lock:
        with pytest.raises(LeaseLost):  # noqa: PT012 - the section
            async with lock.hold("k") as first:
                await server.kill()
                await asyncio.sleep(60)
        await server.restart()
        async with asyncio.timeout(60):
            while True:
                with suppress(InDoubtError, RejectedError):
                    held = await lock.acquire("k")
                    break
        assert held.token > first.token
        assert await lock.release(held)


async def test_cancelled_questions_leak_nothing() -> None:
    """Whenever a statement is cancelled: what it granted is given back."""
    async with postgres(relaxed=True) as server, locks(server) as lock:
        for number in range(60):
            task = asyncio.create_task(lock.acquire("k"))
            await asyncio.sleep(0.0002 * number)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await lock.release(await task)
        async with asyncio.timeout(30):
            await lock.release(await lock.acquire("k"))
            while lock.snapshot().cleaning:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert not await lock.store.held()
