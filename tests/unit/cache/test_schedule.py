"""Warm-ups at their times, on one node."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from loadpath.cache import (
    EVERY_HOUR,
    EVERY_NIGHT,
    MemoryStore,
    MultiLayerCache,
    ScheduledWarmup,
    WarmupSchedule,
)
from loadpath.cache import schedule as module
from loadpath.cache.schedule import newest_slot, next_slot
from loadpath.core.errors import LoadpathError
from loadpath.testing import FakeClock

RIGA = ZoneInfo("Europe/Riga")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the clock often, so that a test need not wait."""
    monkeypatch.setattr(module, "LOOK_EVERY", 0.005)
    monkeypatch.setattr(module, "_RETRY", 0.005)


def at(*written: int, zone: ZoneInfo | None = None) -> float:
    """Return a moment."""
    return datetime(*written, tzinfo=zone or UTC).timestamp()  # type: ignore[arg-type,misc] # a date


@pytest.mark.parametrize(
    ("cron", "after", "now", "slot"),
    [
        (EVERY_NIGHT, at(2026, 1, 1, 3), at(2026, 1, 2, 1, 59), None),
        (EVERY_NIGHT, at(2026, 1, 1, 3), at(2026, 1, 2, 2), at(2026, 1, 2, 2)),
        (EVERY_NIGHT, at(2026, 1, 1, 3), at(2026, 1, 5, 1), at(2026, 1, 4, 2)),
        (EVERY_NIGHT, at(2026, 1, 2, 2), at(2026, 1, 2, 2, 0, 59), None),
        (EVERY_HOUR, at(2026, 1, 1, 3), at(2026, 1, 1, 4, 30, 30), at(2026, 1, 1, 4)),
        ("0 0 29 2 *", at(2026, 1, 1), at(2027, 1, 1), None),
    ],
)
def test_the_newest_slot_that_is_due(
    cron: str, after: float, now: float, slot: float | None
) -> None:
    """Of several that were missed the newest counts, and none counts twice."""
    assert newest_slot(cron, after, now, UTC) == slot


def test_daylight_saving() -> None:
    """A night without 03:30 has its slot at the skip, one with two has one."""
    skip = at(2026, 3, 29, 4, zone=RIGA)
    assert next_slot("30 3 * * *", at(2026, 3, 28, 12, zone=RIGA), RIGA) == skip
    twice = next_slot("30 3 * * *", at(2026, 10, 24, 12, zone=RIGA), RIGA)
    assert twice is not None
    after = next_slot("30 3 * * *", twice, RIGA)
    assert after is not None
    assert after - twice == 25 * 3_600


@pytest.mark.parametrize(
    ("wrong", "what"),
    [({"cron": "0 25 * * *"}, "cron"), ({"name": ""}, "name"), ({"late": -1.0}, "late")],
)
def test_arguments_are_checked(wrong: dict[str, object], what: str) -> None:
    """A bad expression is told when it is given, not at two in the morning."""

    async def run() -> None: ...

    given: dict[str, object] = {"name": "n", "cron": EVERY_NIGHT, "run": run, **wrong}
    with pytest.raises(ValueError, match=what):
        ScheduledWarmup(**given)  # type: ignore[arg-type] # what the test is about


class Node:
    """One node: a cache on the common store, a schedule, and what it ran."""

    def __init__(self, store: MemoryStore, clock: FakeClock, **given: object) -> None:
        self.ran: list[float] = []
        self.fails = False
        self.clock = clock
        self.cache = MultiLayerCache(store, l1_entries=0, clock=clock)
        warmup = ScheduledWarmup(name="popular", cron=EVERY_NIGHT, run=self._run)
        self.schedule = WarmupSchedule(self.cache, [warmup], clock=clock, **given)  # type: ignore[arg-type] # of each test

    async def _run(self) -> None:
        self.ran.append(self.clock.time())
        if self.fails:
            raise OSError("the database is away")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)


async def looked() -> None:
    """Let a schedule look at the clock a few times."""
    await asyncio.sleep(0.04)


async def test_a_slot_runs_once_each_day() -> None:
    """At its time, not before, and not again until the next."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    node = Node(MemoryStore(clock=clock), clock)
    async with node.cache, node.schedule:
        await until(lambda: node.schedule.snapshot().leading)
        await looked()
        assert node.ran == []
        for day in (2, 3):
            clock.set_time(at(2026, 1, day, 2, 0, 5))
            await until(lambda day=day: len(node.ran) == day - 1)  # type: ignore[misc] # of this turn
            await looked()
        assert node.schedule.snapshot().ran == len(node.ran) == 2


async def test_a_clock_that_steps() -> None:
    """Forwards over several days it runs once, back it runs nothing twice, and goes on after."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    node = Node(MemoryStore(clock=clock), clock)
    async with node.cache, node.schedule:
        await until(lambda: node.schedule.snapshot().leading)
        clock.set_time(at(2026, 1, 5, 2, 30))
        await until(lambda: len(node.ran) == 1)
        clock.set_time(at(2026, 1, 5, 1, 59))
        await looked()
        clock.set_time(at(2026, 1, 5, 2, 1))
        await looked()
        assert len(node.ran) == 1
        clock.set_time(at(2026, 1, 2, 12))
        await looked()
        clock.set_time(at(2026, 1, 3, 2, 0))
        await until(lambda: len(node.ran) == 2)


async def test_a_slot_that_failed_is_told_and_the_next_one_runs() -> None:
    """One bad night does not end the schedule."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    node = Node(MemoryStore(clock=clock), clock)
    node.fails = True
    async with node.cache, node.schedule:
        await until(lambda: node.schedule.snapshot().leading)
        for day in (2, 3):
            clock.set_time(at(2026, 1, day, 2))
            await until(lambda day=day: len(node.ran) == day - 1)  # type: ignore[misc] # of this turn
        await until(lambda: node.schedule.snapshot().failed == 2)
        assert "database is away" in node.schedule.snapshot().problem


class Election:
    """Elect one node at a time, first come first served; a term can be ended."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def term(self) -> AsyncIterator[None]:
        """Lead while nobody else does."""
        async with self._lock:
            yield


async def test_one_node_runs_a_slot_and_another_takes_over() -> None:
    """The second leads when the first is gone, and does not run again what was run."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    store, election = MemoryStore(clock=clock), Election()
    one, two = (Node(store, clock, elected=election.term) for _ in range(2))
    async with one.cache, two.cache, one.schedule:
        await until(lambda: one.schedule.snapshot().leading)
        async with two.schedule:
            clock.set_time(at(2026, 1, 2, 2))
            await until(lambda: len(one.ran) == 1)
            await looked()
            assert two.ran == []
            await one.schedule.__aexit__()
            await until(lambda: two.schedule.snapshot().leading)
            await looked()
            assert two.ran == []
            clock.set_time(at(2026, 1, 3, 2))
            await until(lambda: len(two.ran) == 1)
    assert len(one.ran) == 1


async def test_a_slot_whose_leader_died_is_run_by_the_next() -> None:
    """It was begun and never finished, so it counts as missed."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    store, election = MemoryStore(clock=clock), Election()
    two = Node(store, clock, elected=election.term)
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    warmup = ScheduledWarmup(name="popular", cron=EVERY_NIGHT, run=hang)
    async with MultiLayerCache(store, l1_entries=0, clock=clock) as cache, two.cache:
        dying = WarmupSchedule(cache, [warmup], elected=election.term, clock=clock)
        async with dying:
            await until(lambda: dying.snapshot().leading)
            clock.set_time(at(2026, 1, 2, 2))
            await begun.wait()
        async with two.schedule:
            await until(lambda: len(two.ran) == 1)


async def test_a_slot_missed_for_too_long_is_left() -> None:
    """A node that wakes hours later waits for the next night."""
    clock = FakeClock(time=at(2026, 1, 1, 12))
    node = Node(MemoryStore(clock=clock), clock)
    async with node.cache, node.schedule:
        await until(lambda: node.schedule.snapshot().leading)
        clock.set_time(at(2026, 1, 2, 3, 1))
        await looked()
        assert node.ran == []


async def test_an_election_that_fails_is_tried_again() -> None:
    """What it says is kept for whoever looks."""
    tries = 0

    @asynccontextmanager
    async def flaky() -> AsyncIterator[None]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise LoadpathError("no server")
        yield

    clock = FakeClock(time=at(2026, 1, 1, 12))
    node = Node(MemoryStore(clock=clock), clock, elected=flaky)
    async with node.cache, node.schedule:
        await until(lambda: node.schedule.snapshot().leading)
        assert node.schedule.snapshot().problem == "no server"


def test_names_are_unique() -> None:
    """What was run is remembered by name."""

    async def run() -> None: ...

    warmup = ScheduledWarmup(name="n", cron=EVERY_NIGHT, run=run)
    for wrong in ([], [warmup, warmup]):
        with pytest.raises(ValueError, match="name"):
            WarmupSchedule(MultiLayerCache(), wrong)
