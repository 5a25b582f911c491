"""A primary that dies under load: what was acknowledged, and who may still write."""

import asyncio
import signal
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Valkey
from loadpath.lock import (
    Ask,
    DistributedLock,
    Grant,
    LeaseLost,
    LockOptions,
    LockTimeout,
    StaleTokenError,
)
from loadpath.lock.fence_redis import fenced
from loadpath.resp import CommandError, RespClient
from tests.faults.lock.failovers import Replicated, by_a_cluster, by_sentinels
from tests.faults.lock.history import Write, intruders, without_fencing

SHORT = LockOptions(ttl=2.0, wait=60.0)
WORKERS = 6
TROUBLE = (InDoubtError, RejectedError, CommandError, LeaseLost, LockTimeout)

# redis-py reads its own version from the disk for a new connection.
pytestmark = pytest.mark.blocking
either_way = pytest.mark.parametrize("replicated", [by_sentinels, by_a_cluster])


class Resource:
    """What is written to, on a server of its own, and its history."""

    def __init__(self, client: RespClient) -> None:
        self._client = client
        self.history: list[Write] = []

    async def write(self, token: int) -> bool:
        """Write as the holder with a token, and return whether it was taken."""
        try:
            await fenced(self._client, "r", token, "INCR", "r")
        except StaleTokenError:
            self.history.append(Write(token, taken=False))
        else:
            self.history.append(Write(token, taken=True))
        return self.history[-1].taken


@pytest.mark.parametrize(
    ("replicated", "fault"),
    [(by_sentinels, "killed"), (by_sentinels, "paused"), (by_a_cluster, "killed")],
)
async def test_tokens_grow_and_nobody_writes_late_when_the_primary_is_replaced_under_load(
    replicated: Any, fault: str, server: Valkey
) -> None:
    """Strictly, in the order in which they were acknowledged; the clock is one machine's.

    A primary that was paused comes back while the load goes on, and grants until it is told.
    """
    acknowledged: list[int] = []
    over = asyncio.Event()
    after: set[int] = set()

    async def work(number: int, lock: DistributedLock, resource: Resource) -> None:
        while len(after) < WORKERS:
            with suppress(*TROUBLE):
                async with lock.hold("k") as held:
                    acknowledged.append(held.token)
                    for _ in range(3):
                        await resource.write(held.token)
                        await asyncio.sleep(0.002)
                if over.is_set():
                    after.add(number)

    async with (
        replicated() as servers,
        RespClient(server.url) as client,
        DistributedLock(servers.store(), options=SHORT) as here,
        DistributedLock(servers.store(), options=SHORT) as there,
    ):
        resource = Resource(client)
        async with asyncio.timeout(90), asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(work(number, (here, there)[number % 2], resource))
            await asyncio.sleep(0.5)
            before = len(acknowledged)
            await _replaced(servers, fault)
            over.set()
        assert before > WORKERS
        assert len(acknowledged) > before
    assert all(old < new for old, new in pairwise(acknowledged))
    assert not intruders(resource.history)


async def _replaced(servers: Replicated, fault: str) -> None:
    """Kill the primary, or pause it until another one grants."""
    if fault == "killed":
        await servers.primary.kill()
        return
    servers.primary._started().send_signal(signal.SIGSTOP)
    try:
        await _taken_over(servers, capacity=2)  # another lock in the same slot
    finally:
        servers.primary._started().send_signal(signal.SIGCONT)


@either_way
async def test_a_holder_whose_grant_the_failover_lost_is_fenced_off(
    replicated: Any, server: Valkey
) -> None:
    """Two believe that they hold the lock, each within its ttl: only the newer one writes.

    The same history, taken by a resource without fencing as the guide's is, has two writers.
    """
    async with (
        replicated() as servers,
        RespClient(server.url) as client,
        DistributedLock(servers.store(), options=LockOptions(ttl=60.0, wait=60.0)) as lock,
    ):
        resource = Resource(client)
        async with servers.unheard():
            first = await lock.acquire("k")
            assert await resource.write(first.token)
            await servers.primary.kill()
        second = await _taken_over(servers)
        assert first.held
        assert second > first.token
        assert await resource.write(second)
        assert not await resource.write(first.token)
        assert await resource.write(second)
    assert not intruders(resource.history)
    assert intruders(without_fencing(resource.history))


async def _taken_over(servers: Replicated, *, capacity: int = 1) -> int:
    """Return the token of a grant by whoever took over."""
    store = servers.store()
    async with asyncio.timeout(60):
        while True:
            with suppress(InDoubtError, RejectedError, CommandError):
                answer = await store.acquire("k", Ask("other/1", 60.0, capacity=capacity))
                if isinstance(answer, Grant):
                    return answer.token
            await asyncio.sleep(0.1)


@either_way
async def test_a_grant_that_a_replica_has_outlives_the_failover(replicated: Any) -> None:
    """With `replicas=1` the holder still has its lock at the server that took over."""
    async with replicated() as servers:
        # A cluster's one replica that could take over is the one that was waited for; of two that
        # Sentinels choose from, both must have been.
        store = servers.store(replicas=len(servers.replicas), replicas_within=30.0)
        wish = Ask("somebody/1", 60.0)
        granted = await store.acquire("k", wish)
        assert isinstance(granted, Grant)
        await servers.primary.kill()
        after = servers.store()  # there is one replica fewer now
        async with asyncio.timeout(60):
            while True:
                with suppress(InDoubtError, RejectedError, CommandError):
                    assert await after.acquire("k", wish) == granted
                    break
                await asyncio.sleep(0.1)
        assert await after.release("k", wish)
