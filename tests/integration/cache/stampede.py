"""Ask one cache for a cold key with 500 tasks and print how often the factory was called."""

import asyncio
import sys

from loadpath.cache import MultiLayerCache, TrackingBackplane, ValkeyStore, tracking
from loadpath.resp import RespClient


async def main(url: str) -> None:
    """Begin together with the other process."""
    calls = 0

    async def factory() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.2)
        return "value"

    async with (
        RespClient(url, begin=tracking()) as client,
        MultiLayerCache(ValkeyStore(client), backplane=TrackingBackplane(client)) as cache,
    ):
        await client.execute("INCR", "ready")
        while await client.execute("GET", "ready") != b"2":  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
        values = await asyncio.gather(*(cache.get_or_set("cold", factory) for _ in range(500)))
    print(calls, len(values), set(values))  # noqa: T201 - the test reads it


asyncio.run(main(sys.argv[1]))
