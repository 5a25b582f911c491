"""Fill a cache before it is asked: a bounded number at a time, told, and stopped on overload.

Each key is filled like any other miss, so nodes that warm at the same time call each factory once.
Guide: chapter 5, `CacheWarmupStrategy`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from loadpath.cache.missing import MISSING
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.options import EntryOptions
from loadpath.core.errors import RejectedError


class WarmReport(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how far a warm-up came.

    Attributes:
        warmed: Keys filled.
        present: Keys that memory had already.
        failed: Keys whose value could not be loaded.
        stopped: Whether it ended early, because it was told to or the source refused work.
    """

    warmed: int = 0
    present: int = 0
    failed: int = 0
    stopped: bool = False


async def warm(
    cache: MultiLayerCache,
    keys: Iterable[str],
    load: Callable[[str], Awaitable[Any]],
    *,
    options: EntryOptions | None = None,
    concurrency: int = 8,
    on_progress: Callable[[WarmReport], None] | None = None,
    stop_when: Callable[[], bool] | None = None,
) -> WarmReport:
    """Fill keys that memory does not have, and return how far that came.

    Args:
        cache: The cache.
        keys: The keys, the most important first.
        load: Loads the value of a key; a `RejectedError` from it ends the warm-up.
        options: How the values are kept.
        concurrency: Most keys loaded at the same time.
        on_progress: Hears the report after each key.
        stop_when: Asked before each key; True ends the warm-up, for example under load.

    Raises:
        ValueError: `concurrency` is below 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    run = _Run(cache, load, options, on_progress or _nobody, stop_when or _never)
    rest = iter(dict.fromkeys(keys))
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(run.work(rest))
    return run.report


class _Run:
    """Stand for one warm-up."""

    def __init__(
        self,
        cache: MultiLayerCache,
        load: Callable[[str], Awaitable[Any]],
        options: EntryOptions | None,
        on_progress: Callable[[WarmReport], None],
        stop_when: Callable[[], bool],
    ) -> None:
        self._cache = cache
        self._load = load
        self._options = options
        self._on_progress = on_progress
        self._stop_when = stop_when
        self.report = WarmReport()

    async def work(self, rest: Iterable[str]) -> None:
        """Fill one key after the other until there are none, or it must stop."""
        for key in rest:
            if self.report.stopped or self._stop_when():
                self._count(stopped=True)
                return
            await self._fill(key)

    async def _fill(self, key: str) -> None:
        if self._cache.probe(key, MISSING) is not MISSING:
            self._count(present=1)
            return
        try:
            await self._cache.get_or_set(key, lambda: self._load(key), self._options)
        except RejectedError:
            self._count(failed=1, stopped=True)
        except Exception:  # noqa: BLE001 - one bad key must not end the warm-up of the others
            self._count(failed=1)
        else:
            self._count(warmed=1)

    def _count(
        self, *, warmed: int = 0, present: int = 0, failed: int = 0, stopped: bool = False
    ) -> None:
        report = self.report
        self.report = WarmReport(
            warmed=report.warmed + warmed,
            present=report.present + present,
            failed=report.failed + failed,
            stopped=report.stopped or stopped,
        )
        self._on_progress(self.report)


def _nobody(_: WarmReport) -> None:
    """Hear nothing."""


def _never() -> bool:
    return False
