"""One leader at a time, seen by all."""

import asyncio
from contextlib import aclosing

import pytest

from loadpath.lock import (
    DistributedLock,
    Leader,
    LeaderElection,
    LeaseLost,
    LockOptions,
    LockTimeout,
    MemoryLockStore,
)

SHORT = LockOptions(ttl=0.3)


async def test_candidates_lead_one_after_the_other() -> None:
    """Whoever resigns is followed by the next, with a larger token; observers see every term."""
    store = MemoryLockStore()
    seen: list[Leader | None] = []

    async def watch(election: LeaderElection) -> None:
        async with aclosing(election.observe(every=0.005)) as leaders:
            async for leader in leaders:
                seen.append(leader)  # noqa: PERF401 - what was seen stays when this is cancelled

    async with (
        DistributedLock(store, label="a") as one,
        DistributedLock(store, label="b b") as other,
    ):
        first, second = LeaderElection(one, "jobs"), LeaderElection(other, "jobs")
        watching = asyncio.create_task(watch(second))
        term = await first.campaign()
        with pytest.raises(RuntimeError, match="resign first"):
            await first.campaign()
        campaigning = asyncio.create_task(second.campaign())
        await asyncio.sleep(0.03)
        assert (first.leading, second.leading) == (True, False)
        assert await second.leader() == Leader("a", term.token)
        assert await first.resign()
        next_term = await campaigning
        assert next_term.token > term.token
        assert (first.leading, second.leading) == (False, True)
        assert not await first.resign()
        await asyncio.sleep(0.03)
        assert await second.resign()
        await asyncio.sleep(0.03)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    names = [leader and leader.name for leader in seen]
    assert names[-3:] == ["a", "b b", None]


async def test_a_term_ends_its_block_when_it_is_lost(lock: DistributedLock) -> None:
    """Two leaders never work at once."""
    election = LeaderElection(lock, "jobs", options=SHORT)
    with pytest.raises(LeaseLost):  # noqa: PT012 - the section
        async with election.term():
            assert election.leading
            await lock.store.evict("jobs")
            await asyncio.sleep(60)
    assert not election.leading
    async with election.term() as term:
        assert await election.leader() == Leader("me", term.token)
    assert await election.leader() is None


async def test_a_dead_leader_is_replaced_after_its_ttl() -> None:
    """The successor waits in the queue until then."""
    store = MemoryLockStore()
    async with DistributedLock(store, label="dies") as dies:
        await LeaderElection(dies, "jobs", options=SHORT).campaign()
        await dies._watchdog.close()
        async with (
            DistributedLock(store, label="next") as heir,
            LeaderElection(heir, "jobs", options=SHORT).term() as term,
        ):
            assert term.held


async def test_a_campaign_may_have_an_end(lock: DistributedLock) -> None:
    """A candidate with a deadline gives up; others of a like key do not count."""
    async with lock.hold("jobs"), lock.hold("jobs2"):
        election = LeaderElection(lock, "jobs", options=LockOptions(wait=0.02))
        with pytest.raises(LockTimeout):
            await election.campaign()
        assert await LeaderElection(lock, "job").leader() is None
    with pytest.raises(ValueError, match="every"):
        await anext(election.observe(every=0.0))
