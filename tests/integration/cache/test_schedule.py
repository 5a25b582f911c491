"""Scheduled warm-ups on two nodes that elect one through a real server."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from loadpath.cache import (
    EVERY_NIGHT,
    MultiLayerCache,
    ScheduledWarmup,
    ValkeyStore,
    WarmupSchedule,
)
from loadpath.cache import schedule as module
from loadpath.local import Valkey
from loadpath.lock import DistributedLock, LeaderElection, LockOptions
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import RespClient
from loadpath.testing import FakeClock

NIGHT = datetime(2026, 1, 2, 2, tzinfo=UTC).timestamp()
OPTIONS = LockOptions(ttl=1.0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.01)


async def test_the_elected_node_runs_a_slot_and_when_it_is_cut_off_the_other_does_the_next(
    resp_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each night runs once; a leader that loses its server is replaced when its term ends."""
    monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    clock = FakeClock(time=NIGHT - 3_600)
    ran: list[str] = []
    schedules: dict[str, WarmupSchedule] = {}
    locks: dict[str, RespClient] = {}

    def warmup(name: str) -> ScheduledWarmup:
        async def run() -> None:
            ran.append(name)

        return ScheduledWarmup(name="popular", cron=EVERY_NIGHT, run=run)

    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(RespClient(resp_valkey.url))
        await shared.execute("FLUSHALL")
        for name in ("one", "two"):
            locks[name] = await stack.enter_async_context(RespClient(resp_valkey.url))
            lock = await stack.enter_async_context(
                DistributedLock(RedisLockStore(locks[name]), options=OPTIONS)
            )
            cache = await stack.enter_async_context(
                MultiLayerCache(ValkeyStore(shared), l1_entries=0)
            )
            election = LeaderElection(lock, "warm-up", options=OPTIONS)
            schedules[name] = await stack.enter_async_context(
                WarmupSchedule(cache, [warmup(name)], elected=election.term, clock=clock)
            )
        await until(lambda: any(each.snapshot().leading for each in schedules.values()))
        clock.set_time(NIGHT)
        await until(lambda: len(ran) == 1)
        first = ran[0]
        other = "two" if first == "one" else "one"
        await locks[first].__aexit__(None, None, None)
        await until(lambda: schedules[other].snapshot().leading)
        assert ran == [first]
        clock.set_time(NIGHT + 86_400)
        await until(lambda: len(ran) == 2)
        assert ran == [first, other]
