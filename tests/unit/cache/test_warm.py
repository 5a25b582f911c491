"""A warm-up is bounded, goes on past bad keys, and stops when it should."""

import asyncio

import pytest

from loadpath.cache import MultiLayerCache, WarmReport, warm
from loadpath.core.errors import RejectedError


async def test_it_fills_what_is_missing_within_its_bounds() -> None:
    """Never more at a time than allowed; one bad key is one failure."""
    running = most = 0

    async def load(key: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        if key == "k7":
            raise OSError("no such row")
        return key

    reports: list[WarmReport] = []
    async with MultiLayerCache() as cache:
        await cache.set("k0", "here")
        keys = [f"k{n}" for n in range(20)]
        report = await warm(cache, keys, load, concurrency=4, on_progress=reports.append)
        assert report == WarmReport(warmed=18, present=1, failed=1)
        assert reports[-1] == report
        assert len(reports) == 20
        assert most == 4
        assert cache.probe("k19") == "k19"


async def test_it_stops_when_told_and_when_the_source_refuses() -> None:
    """What is left is left."""
    loaded = []

    async def load(key: str) -> str:
        loaded.append(key)
        if key == "k5":
            raise RejectedError("overloaded")
        return key

    async with MultiLayerCache() as cache:
        keys = [f"k{n}" for n in range(100)]
        report = await warm(cache, keys, load, concurrency=1, stop_when=lambda: len(loaded) >= 3)
        assert report == WarmReport(warmed=3, stopped=True)
        report = await warm(cache, keys, load, concurrency=1)
        assert report == WarmReport(warmed=2, present=3, failed=1, stopped=True)


async def test_without_workers_is_refused() -> None:
    """When it is called."""
    async with MultiLayerCache() as cache:
        with pytest.raises(ValueError, match="concurrency"):
            await warm(cache, [], lambda _: asyncio.sleep(0), concurrency=0)
