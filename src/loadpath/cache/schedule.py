"""Run warm-ups at their times, on one node.

A slot is a moment that a cron expression names. Whoever is elected runs each slot once; a slot that
nobody ran, because every node slept or the leader died in the middle of it, is run late, and of
several missed slots of one job only the newest. What was run stands in the cache itself, so that
the next leader knows.

Guide: chapter 5, `startScheduledWarmup`, where every node runs every slot.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Any, Self

import msgspec

from loadpath.cache.errors import ExtraMissingError
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.options import EntryOptions
from loadpath.core.clock import Clock, SystemClock
from loadpath.core.errors import LoadpathError

try:
    from cronsim import CronSim, CronSimError
except ModuleNotFoundError as error:
    raise ExtraMissingError("the warm-up schedule") from error

EVERY_NIGHT = "0 2 * * *"
"""When the guide warms what is popular: at 02:00."""

EVERY_HOUR = "0 * * * *"
"""When the guide warms what active users will ask for next."""

LOOK_EVERY = 30.0
"""Longest sleep (s): a clock that steps, and a machine that slept, are noticed by then."""

_RETRY = 1.0  # seconds between two tries to be elected


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledWarmup:
    """Say what runs when.

    Attributes:
        name: Unique in a schedule; what was run is remembered by it.
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        run: Fills the cache, for example by `warm`; what it returns is kept as its last outcome.
        late: How long after its time a missed slot is still run (s).
    """

    name: str
    cron: str
    run: Callable[[], Awaitable[Any]]
    late: float = 3_600.0

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must not be empty: what was run is remembered by it")
        if not 0 <= self.late < inf:
            raise ValueError(f"late must be at least 0 s and finite, not {self.late}")
        try:
            CronSim(self.cron, datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(f"cron must have five fields like {EVERY_NIGHT!r}: {error}") from error


class ScheduleSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        leading: Whether this node runs the slots.
        ran: Slots run here.
        failed: Of those, how many ended in an error.
        problem: What went wrong last, empty when nothing did.
    """

    leading: bool
    ran: int
    failed: int
    problem: str


def newest_slot(cron: str, after: float, now: float, zone: tzinfo) -> float | None:
    """Return the newest slot after `after` and up to `now`, None when there is none.

    A time that daylight saving skips counts at the moment of the skip, one that comes twice counts
    once, as Debian's cron does it.

    Args:
        cron: The expression.
        after: Slots up to here do not count (Unix s).
        now: The present (Unix s).
        zone: Where the expression's hours are.
    """
    minute_after = (now // 60 + 1) * 60
    before = CronSim(cron, datetime.fromtimestamp(minute_after, zone), reverse=True)
    found = next(before, None)
    return found.timestamp() if found is not None and found.timestamp() > after else None


def next_slot(cron: str, after: float, zone: tzinfo) -> float | None:
    """Return the first slot after a moment (Unix s), None when there will be none."""
    found = next(CronSim(cron, datetime.fromtimestamp(after, zone)), None)
    return None if found is None else found.timestamp()


class WarmupSchedule:
    """Run warm-ups at their times, as an async context manager.

    Args:
        cache: Remembers which slots were run; its shared layer is what nodes have in common.
        warmups: What runs when.
        elected: Makes an async context manager that is entered when this node is elected, and
            whose body is cancelled when it no longer is, such as `LeaderElection.term`; None where
            there is one node.
        zone: Where the hours of the cron expressions are.
        clock: Tells the time.
    """

    def __init__(
        self,
        cache: MultiLayerCache,
        warmups: Sequence[ScheduledWarmup],
        *,
        elected: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
        zone: tzinfo = UTC,
        clock: Clock | None = None,
    ) -> None:
        names = [each.name for each in warmups]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"warmups must be at least one, each with its own name: {names}")
        self._cache = cache
        self._warmups = tuple(warmups)
        self._elected = elected or nullcontext
        self._zone = zone
        self._time = (clock or SystemClock()).time
        self._done: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._leading = False
        self._ran = self._failed = 0
        self._problem = ""

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("the schedule runs already, or did: make another one")
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop; a warm-up under way is cancelled, and run again by whoever is elected next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def snapshot(self) -> ScheduleSnapshot:
        """Return the figures of this moment."""
        return ScheduleSnapshot(
            leading=self._leading, ran=self._ran, failed=self._failed, problem=self._problem
        )

    async def _serve(self) -> None:
        while True:
            try:
                async with self._elected():
                    await self._lead()
            except (LoadpathError, OSError) as error:
                self._problem = str(error)
            finally:
                self._leading = False
            await asyncio.sleep(_RETRY)

    async def _lead(self) -> None:
        """Run what is due, until this node is no longer elected."""
        now = self._time()
        for each in self._warmups:
            told = await self._cache.get(_key(each), type_=float)
            self._done[each.name] = now - each.late if told is None else told
        self._leading = True
        while True:
            await asyncio.gather(*map(self._run_due, self._warmups))
            await asyncio.sleep(self._until_next())

    async def _run_due(self, warmup: ScheduledWarmup) -> None:
        now = self._time()
        after = max(self._done[warmup.name], now - warmup.late)
        if after > now + LOOK_EVERY + warmup.late:
            after = now  # the clock was ahead: what it made run says nothing about now
        slot = newest_slot(warmup.cron, after, now, self._zone)
        self._done[warmup.name] = after if slot is None else slot
        if slot is None:
            return
        self._ran += 1
        try:
            await warmup.run()
        except Exception as error:  # noqa: BLE001 - one bad warm-up must not end the schedule
            self._failed += 1
            self._problem = f"{warmup.name}: {error}"
        life = max(warmup.late, LOOK_EVERY) * 2
        options = EntryOptions(l1_ttl=life, l2_ttl=life)
        await self._cache.set(_key(warmup), slot, options)

    def _until_next(self) -> float:
        now = self._time()
        slots = (next_slot(each.cron, now, self._zone) for each in self._warmups)
        return max(0.0, min(LOOK_EVERY, *(slot - now for slot in slots if slot is not None)))


def _key(warmup: ScheduledWarmup) -> str:
    return f"loadpath:warmup:{warmup.name}"
