"""Every process hears what any client changes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from loadpath.cache import (
    EntryOptions,
    MultiLayerCache,
    NotTrackingError,
    TrackingBackplane,
    ValkeyStore,
    tracking,
)
from loadpath.local import Valkey
from loadpath.resp import RespClient
from tests.integration.cache.conftest import Open


async def until(done: Callable[[], Any]) -> None:
    """Return once it is done."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.002)


async def test_a_write_of_one_process_is_heard_by_all(nodes: Open) -> None:
    """By key, by tag, by pattern, by time."""
    tagged = EntryOptions(tags=("t",))
    async with nodes() as one, nodes() as two:
        for change in (
            lambda: one.set("k", "new"),
            lambda: one.delete("k"),
            lambda: one.invalidate_tags("t"),
            lambda: one.invalidate_pattern("k*"),
            one.invalidate_by_time,
        ):
            await one.set("k", "old", tagged)
            await until(lambda: one.probe("k") is None)
            await asyncio.sleep(0.05)  # pushes of that write have come to the other one, too
            assert await two.get("k") == "old"
            assert two.probe("k") == "old"
            await change()
            await until(lambda: two.probe("k") is None)
            assert await two.get("k") in (None, "new")


async def test_a_foreign_client_is_heard_too(nodes: Open, resp_valkey: Valkey) -> None:
    """One that knows nothing of this library; flushing everything as well."""
    async with nodes() as cache, RespClient(resp_valkey.url) as foreign:
        for command in (["DEL", "cache:k"], ["SET", "cache:k", "garbage"], ["FLUSHALL"]):
            await cache.set("k", 1)
            assert await cache.get("k") == 1
            await foreign.execute(*command)
            await until(lambda: cache.probe("k") is None)
            assert await cache.get("k") is None


async def test_without_a_backplane_memory_is_stale_for_its_ttl_at_most(nodes: Open) -> None:
    """That is the bound which the page states."""
    short = EntryOptions(l1_ttl=0.2)
    async with nodes(heard=False, options=short) as one, nodes(heard=False, options=short) as two:
        await one.set("k", "old")
        assert await two.get("k") == "old"
        await one.set("k", "new")
        await until(lambda: two.probe("k") is None)
        assert await two.get("k") == "new"


async def test_a_client_that_hears_nothing_is_refused(resp_valkey: Valkey) -> None:
    """Instead of a cache that is stale in silence."""
    for begin in ([], tracking("other:")):
        async with RespClient(resp_valkey.url, begin=begin) as client:
            cache = MultiLayerCache(ValkeyStore(client), backplane=TrackingBackplane(client))
            with pytest.raises(NotTrackingError, match="begin=tracking"):
                async with cache:
                    pass
