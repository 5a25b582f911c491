"""Locks that are taken here and given back there: none forgotten, none mixed up."""

import asyncio

import pytest

from loadpath.core.errors import RejectedError
from loadpath.lock import (
    Ask,
    DistributedLock,
    DistributedLockManager,
    LockOptions,
    LockTimeout,
    MemoryLockStore,
    ReleaseInDoubtError,
)

ONCE = LockOptions(wait=0.0)


async def test_a_second_acquisition_does_not_replace_the_first(lock: DistributedLock) -> None:
    """It waits like anybody else, and the first one is still ours to release."""
    async with DistributedLockManager(lock) as manager:
        first = await manager.acquire("k")
        with pytest.raises(LockTimeout):
            await manager.acquire("k", options=ONCE)
        assert first.held
        assert await manager.release(first)
        assert not await manager.release(first)
        assert manager.status() == []


async def test_the_end_of_the_block_releases_all(lock: DistributedLock) -> None:
    """Status tells what there is, and afterwards nothing is held."""
    async with DistributedLockManager(lock) as manager:
        for key in ("b", "a"):
            await manager.acquire(key)
        status = manager.status()
        assert [one.key for one in status] == ["a", "b"]
        assert all(one.held and 0 < one.remaining <= 30 for one in status)
        assert await manager.release_all() == 2
        await manager.acquire("c")
    assert not await lock.store.held()


async def test_a_lost_lock_is_not_held_and_may_be_taken_anew(lock: DistributedLock) -> None:
    """Without a question to the store: the lease knows."""
    async with DistributedLockManager(lock) as manager:
        options = LockOptions(ttl=0.1)
        lost = await manager.acquire("k", options=options)
        await lock.store.evict("k")
        await asyncio.sleep(0.15)
        assert [one.held for one in manager.status()] == [False]
        again = await manager.acquire("k")
        assert again.token > lost.token
        assert [one.held for one in manager.status()] == [False, True]
        assert not await manager.release(lost)
        assert again.held


async def test_a_release_in_doubt_does_not_keep_the_others() -> None:
    """All are tried, then the doubt is told."""

    class Broken(MemoryLockStore):
        async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
            if key == "b" and token:
                raise RejectedError("not there")
            return await super().release(key, ask, token)

    store = Broken()
    async with DistributedLock(store) as lock:
        manager = DistributedLockManager(lock)
        for key in "abc":
            await manager.acquire(key)
        with pytest.raises(ReleaseInDoubtError, match="'b'"):
            await manager.release_all()
        assert manager.status() == []
    assert not await store.held()
