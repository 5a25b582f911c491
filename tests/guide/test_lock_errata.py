"""Defects of the guide's RedisDistributedLock, each shown by one scenario against it and ours.

A scenario is written once, against what a user of either lock can do, on a real Valkey. The
rendering of the guide must fail it; ours must pass.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from loadpath.core.errors import LoadpathError
from loadpath.local import Valkey
from loadpath.lock import DistributedLock, DistributedLockManager, HeldLock, LockOptions
from loadpath.lock.fence_redis import fenced
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import Limits, NotConnectedError, RespClient
from loadpath.resp.errors import ReplyLostError
from tests.faults.resp.link import Link
from tests.guide.as_written.lock import (
    DistributedLockManager as ManagerAsWritten,
)
from tests.guide.as_written.lock import (
    Process,
    RedisDistributedLock,
    critical_section,
)
from tests.integration.resp.conftest import resp_valkey

__all__ = ["resp_valkey"]

TTL = 0.3
KEY = "user:123:update"
HELD = 30.0


class Locks(Protocol):
    """Do what a user of either lock can do."""

    async def acquire(self, ttl: float = HELD) -> Any:
        """Take the lock and return what stands for it, None when it is not to be had."""
        ...

    def believes(self, holder: Any) -> bool:
        """Return whether the holder believes that it holds."""
        ...

    async def asks(self, holder: Any) -> bool:
        """Return the answer to a holder's question whether it still holds."""
        ...

    async def release(self, holder: Any) -> None:
        """Give the lock back as the holder would."""
        ...

    async def section(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run a critical section."""
        ...

    async def write(self, holder: Any, value: str) -> None:
        """Write to what the lock guards; it may be refused."""
        ...

    def fail_next(self, *, after: bool) -> None:
        """Let the next call fail, before the server had it or after it."""
        ...

    async def leave(self) -> None:
        """End the program, without an error."""
        ...


class World:
    """The server, seen by somebody else."""

    def __init__(self, client: RespClient, link: Link) -> None:
        self.client = client
        self.link = link

    async def take_away(self) -> None:
        """Let the lease be gone, as by an expiry that nobody noticed."""
        await self.client.execute("DEL", KEY, f"loadpath:lock:{{{KEY}}}")

    async def free(self) -> bool:
        """Return whether the lock is free."""
        return await self.client.execute("EXISTS", KEY, f"loadpath:lock:{{{KEY}}}") == 0

    async def becomes_free(self, within: float) -> bool:
        """Return whether the lock is free at some time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while loop.time() < deadline:
            if await self.free():
                return True
            await asyncio.sleep(0.02)
        return False


async def a_lease_that_is_lost(locks: Locks, world: World) -> None:
    """A holder whose lease is gone does not believe in it after it has tried to release."""
    holder = await locks.acquire()
    await world.take_away()
    await locks.release(holder)
    assert not locks.believes(holder)


async def a_section_after_its_lease(locks: Locks, world: World) -> None:
    """A section does not go on when its lease is lost."""
    went_on = False

    async def body() -> None:
        nonlocal went_on
        await world.take_away()
        await asyncio.sleep(3 * TTL)
        went_on = True

    with suppress(LoadpathError):
        await locks.section(body)
    assert not went_on


async def a_release_that_fails(locks: Locks, world: World) -> None:
    """A lock whose release failed once is free some time, at the latest after its ttl."""
    holder = await locks.acquire(TTL)
    locks.fail_next(after=False)
    await locks.release(holder)
    assert await world.becomes_free(4 * TTL)


async def an_answer_that_is_lost(locks: Locks, world: World) -> None:
    """Whose first try was granted without its knowing gets the lock, or nobody has it."""
    locks.fail_next(after=True)
    holder = await locks.acquire()
    assert holder is not None or await world.free()


async def a_second_acquisition_of_a_key(locks: Locks, world: World) -> None:
    """Who lost a lock and releases it late does not release that of its successor."""
    first = await locks.acquire()
    await world.take_away()
    await locks.acquire()
    await locks.release(first)
    assert not await world.free()


async def a_holder_that_comes_late(locks: Locks, world: World) -> None:
    """What the guarded resource holds is from the newest holder."""
    first = await locks.acquire()
    await world.take_away()
    second = await locks.acquire()
    await locks.write(second, "new")
    with suppress(LoadpathError):
        await locks.write(first, "old")
    assert await world.client.execute("GET", "resource") == b"new"


async def a_question_that_travels(locks: Locks, world: World) -> None:
    """Who asks whether it holds does not hear yes when somebody else holds by then."""
    taken_over = False

    async def ask() -> bool:
        return await locks.asks(holder) and taken_over

    holder = await locks.acquire(TTL)
    world.link.flowing.clear()
    asking = asyncio.create_task(ask())
    await asyncio.sleep(TTL / 3)
    await world.take_away()
    taken_over = bool(await world.client.execute("SET", KEY, "somebody else"))
    world.link.flowing.set()
    assert not await asking
    await world.take_away()


async def a_program_that_ends(locks: Locks, world: World) -> None:
    """The lock of a program that ended is free for the next one."""
    await locks.acquire()
    await locks.leave()
    assert await world.free()


class Failing:
    """Pass calls on, and fail one of them when asked to."""

    def __init__(self) -> None:
        self._when: str | None = None

    def next(self, *, after: bool) -> None:
        """Fail the next call before or after the server had it."""
        self._when = "after" if after else "before"

    async def call(self, call: Callable[[], Awaitable[Any]], lost: Exception) -> Any:
        """Make a call."""
        when, self._when = self._when, None
        if when == "before":
            raise NotConnectedError("no connection, by the test")
        reply = await call()
        if when == "after":
            raise lost
        return reply


class RedisAsWritten:
    """The guide's client: redis-py for ioredis."""

    def __init__(self, client: "Redis", failing: Failing) -> None:
        self._client = client
        self._failing = failing

    async def set(self, key: str, value: str, *, px: int, nx: bool) -> Any:
        """SET key value PX px NX."""
        return await self._call(lambda: self._client.set(key, value, px=px, nx=nx))

    async def eval(self, script: str, keys: int, *rest: Any) -> Any:
        """EVAL."""
        return await self._call(lambda: self._client.eval(script, keys, *rest))

    async def get(self, key: str) -> Any:
        """GET."""
        return await self._call(lambda: self._client.get(key))

    async def _call(self, call: Callable[[], Any]) -> Any:
        return await self._failing.call(call, ConnectionError("the answer was lost"))


class AsWritten:
    """The guide's lock and manager."""

    def __init__(self, client: "Redis") -> None:
        self._failing = Failing()
        self._client = client
        process = Process(lambda: int(time.time() * 1000), Random(1), 1)
        self._manager = ManagerAsWritten(RedisAsWritten(client, self._failing), process)
        self._locks: list[RedisDistributedLock] = []

    async def acquire(self, ttl: float = HELD) -> RedisDistributedLock | None:
        """`acquireLock`."""
        lock = await self._manager.acquire_lock(KEY, ttl=int(ttl * 1000), max_retries=2)
        self._locks += [lock] if lock else []
        return lock

    def believes(self, holder: RedisDistributedLock) -> bool:
        """`isLocked`."""
        return holder.is_locked

    async def asks(self, holder: RedisDistributedLock) -> bool:
        """`isAcquired`."""
        return await holder.is_acquired()

    async def release(self, holder: RedisDistributedLock) -> None:
        """`releaseLock`, by the key that the holder knows."""
        await self._manager.release_lock(holder.lock_key)

    async def section(self, body: Callable[[], Awaitable[None]]) -> None:
        """`criticalSection`."""
        await critical_section(self._manager, KEY, body, ttl=int(TTL * 1000))

    async def write(self, holder: RedisDistributedLock, value: str) -> None:
        """Write; there is nothing to show."""
        del holder
        await self._client.set("resource", value)

    def fail_next(self, *, after: bool) -> None:
        """Let the next call fail."""
        self._failing.next(after=after)

    async def leave(self) -> None:
        """Nothing of the guide's runs at the end of a program."""

    def stop_timers(self) -> None:
        """End what the test started."""
        for lock in self._locks:
            lock.stop_lock_renewal()


class FailingCommands:
    """Our client, failing when asked to."""

    def __init__(self, client: RespClient, failing: Failing) -> None:
        self._client = client
        self._failing = failing

    async def execute(self, *command: Any) -> Any:
        """Run one command."""
        lost = ReplyLostError("the answer was lost, by the test")
        return await self._failing.call(lambda: self._client.execute(*command), lost)


class Ours:
    """Our lock and manager."""

    def __init__(self, client: RespClient) -> None:
        self._failing = Failing()
        self._client = client
        commands = FailingCommands(client, self._failing)
        self._store = RedisLockStore(commands, publications=client)

    async def open(self) -> None:
        """Begin."""
        self._lock = DistributedLock(self._store)
        await self._lock.__aenter__()
        self._manager = DistributedLockManager(self._lock)

    async def acquire(self, ttl: float = HELD) -> HeldLock | None:
        """Acquire through the manager."""
        try:
            return await self._manager.acquire(KEY, options=LockOptions(ttl=ttl, wait=1.0))
        except LoadpathError:
            return None

    def believes(self, holder: HeldLock) -> bool:
        """Return what the lease says."""
        return holder.held

    async def asks(self, holder: HeldLock) -> bool:
        """Ask the lease: no question travels."""
        return holder.held

    async def release(self, holder: HeldLock) -> None:
        """Release what was acquired."""
        with suppress(LoadpathError):
            await self._manager.release(holder)

    async def section(self, body: Callable[[], Awaitable[None]]) -> None:
        """Hold."""
        async with self._lock.hold(KEY, options=LockOptions(ttl=TTL)):
            await body()

    async def write(self, holder: HeldLock, value: str) -> None:
        """Write with the token."""
        await fenced(self._client, "resource", holder.token, "SET", "resource", value)

    def fail_next(self, *, after: bool) -> None:
        """Let the next call fail."""
        self._failing.next(after=after)

    async def leave(self) -> None:
        """Leave the block that the lock is."""
        await self._lock.__aexit__(None, None, None)


SCENARIOS = [
    a_lease_that_is_lost,
    a_section_after_its_lease,
    a_release_that_fails,
    an_answer_that_is_lost,
    a_second_acquisition_of_a_key,
    a_holder_that_comes_late,
    a_question_that_travels,
    a_program_that_ends,
]
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
Scenario = Callable[[Locks, World], Awaitable[None]]


@asynccontextmanager
async def world_of(server: Valkey) -> AsyncIterator[World]:
    """Give an empty server and a link to it."""
    assert server.port is not None
    async with RespClient(server.url) as client, Link(server.port) as link:
        await client.execute("FLUSHALL")
        yield World(client, link)


@every_scenario
@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
async def test_as_written_fails(scenario: Scenario, resp_valkey: Valkey) -> None:
    """The guide's lock, on the same server, does not pass."""
    async with world_of(resp_valkey) as world:
        once = Retry(NoBackoff(), 0)
        async with Redis.from_url(world.link.url(resp_valkey.url), retry=once) as client:
            locks = AsWritten(client)
            try:
                with pytest.raises(AssertionError):
                    await scenario(locks, world)
            finally:
                world.link.flowing.set()
                locks.stop_timers()


@every_scenario
async def test_ours_passes(scenario: Scenario, resp_valkey: Valkey) -> None:
    """Ours does."""
    async with world_of(resp_valkey) as world:
        url = world.link.url(resp_valkey.url)
        async with RespClient(url, limits=Limits(read_timeout=10.0)) as client:
            locks = Ours(client)
            await locks.open()
            await scenario(locks, world)
            if scenario is not a_program_that_ends:
                await locks.leave()


def test_two_processes_alike_have_different_names() -> None:
    """As written, containers that start alike (process 1, the same millisecond) share a value.

    Whoever of them is refused then releases the other's lock. Ours draws 64 bits from the system.
    """

    def value() -> str:
        process = Process(lambda: 1_700_000_000_000, Random(42), 1)
        return RedisDistributedLock(None, process, KEY).lock_value  # type: ignore[arg-type] # unused

    assert value() == value()


async def test_ours_have_different_names_whatever_is_alike(resp_valkey: Valkey) -> None:
    """The same label, the same process, the same random source."""
    owners = set()
    async with RespClient(resp_valkey.url) as client:
        for _ in range(2):
            store = RedisLockStore(client)
            async with (
                DistributedLock(store, label="1", random=Random(42)) as lock,
                lock.hold(KEY) as held,
            ):
                owners.add(held.ask.owner)
    assert len(owners) == 2
