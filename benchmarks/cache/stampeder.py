"""One of the processes that ask for a cold key at once; prints its factory calls."""

import asyncio
import sys
from urllib.parse import urlsplit

from aiocache import Cache, cached

from loadpath.cache import MultiLayerCache, ValkeyStore
from loadpath.resp import RespClient

PROCESSES = 2
TASKS = 500
FACTORY = 0.2
"""Seconds that the factory takes."""


async def work(which: str, url: str) -> int:
    """Ask for the key with many tasks once all processes are there; return our factory calls."""
    calls = 0

    async def factory() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(FACTORY)
        return "value"

    async with RespClient(url) as client, MultiLayerCache(ValkeyStore(client)) as cache:
        ready = f"ready:{which}"
        await client.execute("INCR", ready)
        while await client.execute("GET", ready) != b"%d" % PROCESSES:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.002)
        if which == "ours":
            await asyncio.gather(*(cache.get_or_set("cold", factory) for _ in range(TASKS)))
            return calls
        at = urlsplit(url)
        theirs = cached(
            key="cold", ttl=60, cache=Cache.REDIS, endpoint=at.hostname, port=at.port,
            password=at.password, pool_max_size=TASKS,
        )(factory)  # fmt: skip
        await asyncio.gather(*(theirs() for _ in range(TASKS)))
        return calls


if __name__ == "__main__":
    print(asyncio.run(work(sys.argv[1], sys.argv[2])))
