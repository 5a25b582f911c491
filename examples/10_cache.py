"""Two processes' worth of caches over one Valkey, in a few seconds: `python examples/10_cache.py`.

A cold key, a change that the other cache hears of, a late fill, an outage, and writes behind.
"""

import asyncio
from collections.abc import Sequence

from loadpath.cache import (
    EntryOptions,
    MultiLayerCache,
    StreamQueue,
    TrackingBackplane,
    ValkeyStore,
    Write,
    WriteBehind,
    tracking,
)
from loadpath.local import Valkey, valkey
from loadpath.resp import RespClient


async def a_cold_key(one: MultiLayerCache, two: MultiLayerCache) -> None:
    """A thousand tasks over two caches, one factory call."""
    calls = 0

    async def factory() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.1)
        return "profile"

    await asyncio.gather(*(c.get_or_set("user:1", factory) for c in (one, two) for _ in range(500)))
    print(f"a thousand tasks in two caches: {calls} factory call")


async def a_change(one: MultiLayerCache, two: MultiLayerCache) -> None:
    """The other cache's memory hears of it."""
    await one.set("news", "old", EntryOptions(tags=("front",)))
    await asyncio.sleep(0.05)
    await two.get("news")
    print("in the other memory:", two.probe("news"), end=", ")
    await one.invalidate_tags("front")
    await asyncio.sleep(0.05)
    print("after its tag was invalidated:", two.probe("news"))


async def a_late_fill(one: MultiLayerCache, two: MultiLayerCache) -> None:
    """What was read before a change is not stored after it."""

    async def slow() -> str:
        await asyncio.sleep(0.1)
        return "the old row"

    reader = asyncio.create_task(one.get_or_set("row", slow))
    await asyncio.sleep(0.05)
    await two.delete("row")
    print(f"who waited got {await reader!r}, stored is {await two.get('row')}")


async def an_outage(server: Valkey, one: MultiLayerCache) -> None:
    """No caller hears of it; what was deleted meanwhile is gone afterwards."""
    await one.set("session", "valid")
    await server.kill()
    await one.delete("session")
    value = await one.get_or_set("other", lambda: "computed")
    print(f"without the server: {value!r}, {one.snapshot().l2}")
    await server.restart()


async def writes_behind(client: RespClient, cache: MultiLayerCache) -> None:
    """A hundred writes of a counter reach the database as a few."""
    table: dict[str, object] = {}

    async def apply(writes: Sequence[Write]) -> None:
        table.update({write.key: write.value for write in writes})

    async with WriteBehind(cache, StreamQueue(client), apply) as writes:
        for views in range(100):
            await writes.put("page:1", views)
    print(f"the database has {table}, told in {writes.snapshot().applied} writes of 100")


async def main() -> None:
    """Run all of it."""
    async with (
        valkey(relaxed=True) as server,
        RespClient(server.url, begin=tracking()) as first,
        RespClient(server.url, begin=tracking()) as second,
        MultiLayerCache(ValkeyStore(first), backplane=TrackingBackplane(first)) as one,
        MultiLayerCache(ValkeyStore(second), backplane=TrackingBackplane(second)) as two,
    ):
        await a_cold_key(one, two)
        await a_change(one, two)
        await a_late_fill(one, two)
        await writes_behind(first, one)
        await an_outage(server, one)


if __name__ == "__main__":
    asyncio.run(main())
