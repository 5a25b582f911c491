"""Sections run while the lock is held, end when it is lost, and nothing is left behind."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.lock import (
    Ask,
    Busy,
    DistributedLock,
    Grant,
    LeaseLost,
    LockOptions,
    LockTimeout,
    LockUnavailableError,
    MemoryLockStore,
    ReleaseInDoubtError,
    Share,
    StoreInDoubtError,
)

ONCE = LockOptions(wait=0.0)
SHORT = LockOptions(ttl=0.3, wait=30.0)
LASTING = LockOptions(ttl=0.9, wait=30.0)
"""Long enough that a busy machine does not lose what must be kept."""


async def until(done: Callable[[], bool]) -> None:
    """Let the loop turn until it is done."""
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


class Troubled(MemoryLockStore):
    """Fail as a store does whose answers get lost, before or after it did what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Exception] = []
        self.after: list[Exception] = []

    async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
        """Acquire, or fail before or after it."""
        self._fail(self.before)
        answer = await super().acquire(key, ask)
        self._fail(self.after)
        return answer

    async def renew(self, key: str, ask: Ask, ttl: float) -> bool:
        """Renew, or fail before or after it."""
        self._fail(self.before)
        renewed = await super().renew(key, ask, ttl)
        self._fail(self.after)
        return renewed

    async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
        """Release, or fail before or after it."""
        self._fail(self.before)
        released = await super().release(key, ask, token)
        self._fail(self.after)
        return released

    def _fail(self, errors: list[Exception]) -> None:
        if errors:
            raise errors.pop(0)


async def test_a_section_outlives_its_ttl_by_renewal(lock: DistributedLock) -> None:
    """Twice the ttl, and the lock was held all along."""
    async with lock.hold("k", options=LASTING) as held:
        for _ in range(10):
            await asyncio.sleep(0.2)
            held.check()
            with pytest.raises(LockTimeout):
                await lock.acquire("k", options=ONCE)
    assert not await lock.store.held()


async def test_a_section_ends_the_moment_its_lease_is_lost(lock: DistributedLock) -> None:
    """Its body is cancelled at the next renewal, and the caller learns which lease it was."""
    reached = False
    with pytest.raises(LeaseLost, match="'k'") as lost:  # noqa: PT012 - the section
        async with lock.hold("k", options=SHORT) as held:
            await lock.store.evict("k")
            await asyncio.sleep(60)
            reached = True
    assert not reached
    assert lost.value.token == held.token
    assert held.lost
    assert not held.held
    with pytest.raises(LeaseLost):
        held.check()
    assert lock.snapshot().lost == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_section_that_ended_before_the_loss_was_noticed_is_told_too(
    lock: DistributedLock,
) -> None:
    """The store did not know the lease at the end: not all of it was under the lock."""
    with pytest.raises(LeaseLost, match="took it away"):
        async with lock.hold("k"):
            await lock.store.evict("k")


async def test_a_loss_at_the_very_end_leaves_no_cancellation_behind(lock: DistributedLock) -> None:
    """A body that ends in the turn of the loss: the caller's next await is not cancelled."""
    with pytest.raises(LeaseLost):
        async with lock.hold("k") as held:
            held.lose("by the test")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_an_error_of_the_body_is_not_hidden_by_the_loss(lock: DistributedLock) -> None:
    """Whatever the body raises comes out."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the section
        async with lock.hold("k") as held:
            try:
                held.lose("by the test")
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ZeroDivisionError from None
    await asyncio.sleep(0)


async def test_a_cancellation_from_outside_stays_one(lock: DistributedLock) -> None:
    """Even when the lease is lost in the same turn."""

    async def section() -> None:
        async with lock.hold("k") as held:
            held_locks.append(held)
            await asyncio.sleep(60)

    held_locks: list[object] = []
    task = asyncio.create_task(section())
    await until(lambda: bool(held_locks))
    lock.held[0].lose("by the test")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_tries_end_with_a_timeout_that_says_so(lock: DistributedLock) -> None:
    """Waited for as long as asked, and nothing left in the queue."""
    async with lock.hold("k"):
        with pytest.raises(LockTimeout, match=r"'k' was not free in 0.05 s") as timeout:
            await lock.acquire("k", options=LockOptions(wait=0.05))
        assert timeout.value.key == "k"
        assert isinstance(timeout.value, TimeoutError)
        await until(lambda: not lock.snapshot().cleaning)
        ((_, _, waiting),) = await lock.store.held()
        assert waiting == 0


async def test_waiters_are_served_in_order(lock: DistributedLock) -> None:
    """First come, first served, whatever is cancelled in between."""
    order: list[int] = []

    async def section(number: int) -> None:
        async with lock.hold("k", options=SHORT):
            order.append(number)
            await asyncio.sleep(0.001)

    async with lock.hold("k"):
        tasks = []
        for number in range(20):
            tasks.append(asyncio.create_task(section(number)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        for number in (3, 7, 19):
            tasks[number].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [number for number in range(20) if number not in (3, 7, 19)]


async def test_ten_thousand_random_cancellations_leak_nothing() -> None:
    """At any await of acquire, section or release; afterwards every key is free."""
    chance = Random(8)
    store = MemoryLockStore()
    before = asyncio.all_tasks()
    inside: dict[str, int] = {}

    class Slow(MemoryLockStore):
        """Take a few turns before and after each decision, as a network does."""

        async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
            await turns()
            answer = await store.acquire(key, ask)
            await turns()
            return answer

        async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
            await turns()
            released = await store.release(key, ask, token)
            await turns()
            return released

    async def turns() -> None:
        for _ in range(chance.randint(0, 2)):
            await asyncio.sleep(0)

    slow = Slow()
    slow.listening = store.listening  # type: ignore[method-assign] # grants come from the inner one

    async def section(lock: DistributedLock, key: str) -> None:
        async with lock.hold(key, options=LockOptions(wait=60.0)):
            inside[key] = inside.get(key, 0) + 1
            assert inside[key] == 1, "two at once"
            try:
                await turns()
            finally:
                inside[key] -= 1

    async with DistributedLock(slow, random=chance) as lock:
        cancelled = 0
        while cancelled < 10_000:
            tasks = [asyncio.create_task(section(lock, f"k{n % 10}")) for n in range(250)]
            for _ in range(30):
                await asyncio.sleep(0)
                for task in chance.sample(tasks, 20):
                    task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError | None) for one in outcomes)
            cancelled += sum(task.cancelled() for task in tasks)
        await until(lambda: not lock.snapshot().cleaning)
        assert not await store.held()
        stats = lock.snapshot()
        assert (stats.held, stats.waiting) == (0, 0)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [StoreInDoubtError("no answer"), RejectedError("not there")])
async def test_a_lost_answer_is_in_doubt_until_resolved(when: str, error: Exception) -> None:
    """Acquiring asks again under the same name: one lease, one token, whatever had happened."""
    store = Troubled()
    async with DistributedLock(store, options=SHORT) as lock:
        getattr(store, when).extend([error, error])
        async with lock.hold("k") as held:
            ((_, (holding,), _),) = await store.held()
            assert holding.token == held.token
        assert not await store.held()


async def test_a_store_that_is_not_there_is_told_as_such() -> None:
    """Nothing is held, and whoever tries later may have it."""
    store = Troubled()
    async with DistributedLock(store) as lock:
        store.after = [StoreInDoubtError("no answer")]
        with pytest.raises(LockUnavailableError, match="no answer") as unavailable:
            await lock.acquire("k", options=ONCE)
        assert isinstance(unavailable.value, RejectedError)
        async with lock.hold("k", options=SHORT):
            pass  # what had been granted without our knowing was given back


async def test_a_renewal_is_tried_again_within_the_lease() -> None:
    """Failures in between do not cost the lease."""
    store = Troubled()
    async with DistributedLock(store, options=LASTING) as lock, lock.hold("k") as held:
        store.before = [RejectedError("not there"), StoreInDoubtError("no"), RuntimeError("a bug")]
        await asyncio.sleep(1.2)
        held.check()
        assert not store.before


async def test_a_renewal_that_never_gets_an_answer_ends_the_section_at_the_ttl() -> None:
    """Not sooner and not later than it is certain."""
    store = Troubled()
    async with DistributedLock(store, options=SHORT) as lock:
        with pytest.raises(LeaseLost, match="in time"):  # noqa: PT012 - the section
            async with lock.hold("k") as held:
                store.before = [RejectedError("not there")] * 1_000
                await asyncio.sleep(60)
        assert held.remaining == 0.0
        store.before.clear()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_release_without_an_answer_is_in_doubt_and_goes_on(when: str) -> None:
    """The caller of `release` is told, a section is not; the lock gets free in any case."""
    store = Troubled()
    async with DistributedLock(store) as lock:
        held = await lock.acquire("k")
        getattr(store, when).append(StoreInDoubtError("no answer"))
        with pytest.raises(ReleaseInDoubtError, match="free") as doubt:
            await lock.release(held)
        assert isinstance(doubt.value, InDoubtError)
        async with lock.hold("k", options=SHORT):
            getattr(store, when).append(StoreInDoubtError("no answer"))
        await lock.acquire("k", options=SHORT)


async def test_closing_gives_back_what_is_held() -> None:
    """Forgotten leases are free for others at once."""
    store = MemoryLockStore()
    async with DistributedLock(store) as lock:
        for key in "abc":
            await lock.acquire(key)
        assert len(lock.held) == 3
    assert not await store.held()


async def test_closing_while_the_store_is_gone_does_not_hang() -> None:
    """It is tried for a while; the leases end by their ttl."""
    store = Troubled()
    async with DistributedLock(store, options=LockOptions(ttl=0.2)) as lock:
        await lock.acquire("k")
        store.before = [RejectedError("not there")] * 1_000_000


async def test_releasing_twice_says_that_it_was_not_held(lock: DistributedLock) -> None:
    """And harms nobody who has it now."""
    held = await lock.acquire("k")
    assert await lock.release(held)
    async with lock.hold("k"):
        assert not await lock.release(held)
        with pytest.raises(LeaseLost):
            held.check()


async def test_extending_sets_another_ttl(lock: DistributedLock) -> None:
    """From now on, and every renewal after it."""
    async with lock.hold("k", options=LASTING) as held:
        await lock.extend(held, 20.0)
        assert held.remaining > 19
        assert held.ttl == 20.0
        with pytest.raises(ValueError, match="ttl"):
            await lock.extend(held, 0.0)
        await lock.extend(held, 0.9)
        await asyncio.sleep(1.2)
        held.check()
    with pytest.raises(LeaseLost):  # noqa: PT012 - the section
        async with lock.hold("k") as held:
            await lock.store.evict("k")
            await lock.extend(held, 20.0)


async def test_a_shorter_ttl_that_may_have_been_set_counts() -> None:
    """Its answer was lost, and so the store may end the lease sooner than it was before."""
    store = Troubled()
    async with DistributedLock(store) as lock, lock.hold("k") as held:
        store.after = [StoreInDoubtError("no answer")]
        with pytest.raises(StoreInDoubtError):
            await lock.extend(held, 0.9)
        assert held.remaining <= 0.9
        await asyncio.sleep(1.2)
        held.check()


async def test_a_reentrant_block_goes_on_under_the_same_lease(lock: DistributedLock) -> None:
    """Within one task, as deep as it likes; another task waits."""

    async def other() -> None:
        await lock.acquire("k", options=ONCE)

    async with lock.hold("k", reentrant=True) as outer:
        async with lock.hold("k", reentrant=True) as inner, lock.hold("k", reentrant=True):
            assert inner is outer
        outer.check()
        with pytest.raises(LockTimeout):
            await asyncio.create_task(other())
        with pytest.raises(LockTimeout):
            async with lock.hold("k", options=ONCE):
                pass
    assert not await lock.store.held()
    assert not lock.by_task


async def test_a_lost_lease_is_not_entered_again(lock: DistributedLock) -> None:
    """The inner block does not begin."""
    with pytest.raises(LeaseLost):  # noqa: PT012 - the section
        async with lock.hold("k", reentrant=True) as outer:
            outer.lose("by the test")
            async with lock.hold("k", reentrant=True):
                raise AssertionError("began")


@pytest.mark.parametrize(
    ("key", "share"), [("", Share(1, 1)), ("k", Share(0, 1)), ("k", Share(3, 2))]
)
async def test_nonsense_is_refused(lock: DistributedLock, key: str, share: Share) -> None:
    """Before the store is asked."""
    with pytest.raises(ValueError, match="key and 1 to the capacity"):
        await lock.acquire(key, share=share)


async def test_an_uncontended_section_costs_one_question_and_one_answer() -> None:
    """No place in the queue, no task, and no timer of its own."""
    asked: list[Ask] = []

    class Counting(MemoryLockStore):
        async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
            asked.append(ask)
            return await super().acquire(key, ask)

    before = asyncio.all_tasks()
    async with DistributedLock(Counting()) as lock:
        for _ in range(10):
            async with lock.hold("k"):
                assert asyncio.all_tasks() <= before
    assert len(asked) == 10
    assert {ask.patience for ask in asked} == {0.0}


async def test_a_cancelled_waiter_that_was_granted_meanwhile_hands_on(
    lock: DistributedLock,
) -> None:
    """Whatever the order of grant and cancellation, the next one gets it."""
    for turns in range(8):
        held = await lock.acquire("k")
        waiting = asyncio.create_task(lock.acquire("k"))
        for _ in range(3):
            await asyncio.sleep(0)
        await lock.release(held)
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await lock.release(await waiting)
        await lock.release(await lock.acquire("k", options=SHORT))
