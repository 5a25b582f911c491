"""Acknowledge writes one after the other until somebody ends this process."""

import asyncio
import sys
from collections.abc import Sequence

from loadpath.cache import MultiLayerCache, ValkeyStore, Write, WriteBehind
from loadpath.resp import RespClient
from tests.faults.cache.queue_place import QueuePlace


async def never(_: Sequence[Write]) -> None:
    """Never apply anything: what is acknowledged here is applied by another process."""
    await asyncio.Event().wait()


async def main(place: QueuePlace) -> None:
    """Print each write once it is acknowledged."""
    async with (
        RespClient(place.url) as client,
        MultiLayerCache(ValkeyStore(client)) as cache,
        place.queue(client) as queue,
        WriteBehind(cache, queue, never, lease=0.5) as writes,
    ):
        number = 0
        while True:
            number += 1
            await writes.put(f"k{number % 7}", number)
            print(f"k{number % 7}", number, flush=True)  # noqa: T201 - the test reads it


asyncio.run(main(QueuePlace(*sys.argv[1:])))
