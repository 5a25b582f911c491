"""Locks that are safe to build on, on a real Valkey: `python examples/09_lock.py`.

A section outlives its ttl, one ends because its lease is taken away, a holder that comes late is
refused by its token, twenty workers take turns, a leader resigns.
"""

import asyncio
from collections import Counter

from loadpath.local import valkey
from loadpath.lock import (
    DistributedLock,
    LeaderElection,
    LeaseLost,
    LockOptions,
    LockTimeout,
    StaleTokenError,
)
from loadpath.lock.fence_redis import fenced
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import RespClient

SHORT = LockOptions(ttl=1.0)


async def renewed(lock: DistributedLock) -> None:
    """Hold a lock of 1 s for two and a half."""
    async with lock.hold("report", options=SHORT) as held:
        await asyncio.sleep(2.5)
        print(f"after 2.5 s of a 1 s lease: still held, {held.remaining:.2f} s left")
        try:
            await lock.acquire("report", options=LockOptions(wait=0))
        except LockTimeout as error:
            print(f"somebody else: {error}")


async def lost(lock: DistributedLock) -> None:
    """Lose a lease in the middle of a section."""
    try:
        async with lock.hold("report", options=SHORT):
            await lock.store.evict("report")
            await asyncio.sleep(60)
    except LeaseLost as error:
        print(f"the section was cancelled: {error}")


async def fencing(lock: DistributedLock, client: RespClient) -> None:
    """Write under the token of an older lease."""
    old = await lock.acquire("account")
    await lock.store.evict("account")
    new = await lock.acquire("account")
    await fenced(client, "balance", new.token, "SET", "balance", 90)
    try:
        await fenced(client, "balance", old.token, "SET", "balance", 100)
    except StaleTokenError as error:
        print(f"a late write: {error}")
    await lock.release(new)
    await lock.release(old)


async def turns(lock: DistributedLock) -> None:
    """Let twenty workers want the same lock."""
    sections: Counter[int] = Counter()

    async def work(number: int) -> None:
        for _ in range(10):
            async with lock.hold("turns", options=LockOptions(wait=30)):
                sections[number] += 1

    await asyncio.gather(*map(work, range(20)))
    print(f"200 sections by 20 workers, per worker: {set(sections.values())}")


async def election(lock: DistributedLock) -> None:
    """Lead, and say so."""
    scheduler = LeaderElection(lock, "scheduler")
    async with scheduler.term():
        print(f"leading: {await scheduler.leader()}")
    print(f"resigned: {await scheduler.leader()}")


async def main() -> None:
    """Run all of it."""
    async with (
        valkey(relaxed=True) as server,
        RespClient(server.url) as client,
        DistributedLock(RedisLockStore(client), label="example") as lock,
    ):
        await renewed(lock)
        await lost(lock)
        await fencing(lock, client)
        await turns(lock)
        await election(lock)
        print(lock.snapshot())


if __name__ == "__main__":
    asyncio.run(main())
