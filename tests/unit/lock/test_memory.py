"""The store of one process forgets what nobody uses, and never a token."""

from loadpath.lock import Ask, Grant, MemoryLockStore
from loadpath.lock import memory as module
from loadpath.testing import FakeClock


async def token_of(store: MemoryLockStore, key: str, owner: str) -> int:
    """Acquire what must be free."""
    answer = await store.acquire(key, Ask(owner, 30.0))
    assert isinstance(answer, Grant)
    return answer.token


async def test_locks_that_nobody_uses_are_forgotten_and_tokens_still_grow() -> None:
    """Even when the clock has stepped back in between."""
    clock = FakeClock(time=1_800_000_000.0)
    store = MemoryLockStore(clock=clock)
    first = await token_of(store, "k", "a/1")
    held = await token_of(store, "held", "a/2")
    await store.release("k", Ask("a/1", 30.0))
    for number in range(module.FORGET_ABOVE):
        await token_of(store, f"{number}", "a/3")
        await store.release(f"{number}", Ask("a/3", 30.0))
    assert len(store._ledgers) < module.FORGET_ABOVE
    assert "k" not in store._ledgers
    clock.set_time(1_700_000_000.0)
    assert await token_of(store, "k", "a/4") > first
    ((_, (holding,), _),) = await store.held("held")
    assert holding.token == held


async def test_leases_follow_the_clock_that_never_steps() -> None:
    """The wall clock decides on tokens only."""
    clock = FakeClock(time=1_800_000_000.0)
    store = MemoryLockStore(clock=clock)
    await token_of(store, "k", "a/1")
    clock.set_time(1_900_000_000.0)
    assert await store.renew("k", Ask("a/1", 30.0), 30.0)
    clock.advance(30.0)
    assert not await store.renew("k", Ask("a/1", 30.0), 30.0)
    assert not await store.held()
