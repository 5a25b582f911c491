"""A holder in a process of its own: takes a lock and writes, until it is told to stop.

Arguments: URL of the server, key, ttl (s). Prints its token and then, for every write that the
resource took or refused, `wrote TOKEN` or `refused TOKEN`, and `lost TOKEN` when its section ended.
"""

import asyncio
import sys

from loadpath.lock import DistributedLock, LeaseLost, LockOptions, StaleTokenError
from loadpath.lock.fence_redis import fenced
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import Limits, RespClient


def say(word: str, token: int) -> None:
    """Tell the test."""
    print(word, token, flush=True)  # noqa: T201 - the test reads it


async def main(url: str, key: str, ttl: float) -> None:
    """Hold and write."""
    async with (
        RespClient(url, limits=Limits(read_timeout=1.0)) as client,
        DistributedLock(RedisLockStore(client), options=LockOptions(ttl=ttl, wait=60.0)) as lock,
    ):
        held = await lock.acquire(key)
        say("held", held.token)
        # On purpose not bound to the lease: this holder goes on as long as the resource lets it.
        for number in range(10_000):
            try:
                await fenced(client, "resource", held.token, "SET", "resource", number)
            except StaleTokenError:
                say("refused", held.token)
                break
            say("wrote", held.token)
            await asyncio.sleep(0.02)
        try:
            held.check()
        except LeaseLost:
            say("lost", held.token)


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
