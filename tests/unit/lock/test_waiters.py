"""A waiter hears of its grant, once, and asks when it may have missed it."""

import asyncio

import pytest

from loadpath.lock.store import ASK
from loadpath.lock.waiters import Waiters


async def test_a_grant_before_the_waiting_is_not_missed() -> None:
    """It is kept until it is heard, and only then there is room for the next."""
    waiters = Waiters()
    waiters.enter("a")
    waiters.grant("a", 7)
    waiters.grant("a", 8)
    assert await waiters.told("a", 60) == 7
    assert await waiters.told("a", 0.01) == ASK


async def test_a_grant_wakes_its_waiter_only() -> None:
    """The others go on waiting; one that has left is nobody's."""
    waiters = Waiters()
    waiters.enter("a")
    waiters.enter("b")
    tasks = [asyncio.create_task(waiters.told(owner, 60)) for owner in "ab"]
    await asyncio.sleep(0)
    waiters.grant("b", 7)
    waiters.grant("c", 8)
    assert await tasks[1] == 7
    assert not tasks[0].done()
    waiters.gap()
    assert await tasks[0] == ASK
    waiters.leave("a")
    waiters.leave("b")
    assert len(waiters) == 0


async def test_a_cancelled_waiter_can_still_be_left() -> None:
    """Whoever waited cleans up after it."""
    waiters = Waiters()
    waiters.enter("a")
    task = asyncio.create_task(waiters.told("a", 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiters.grant("a", 7)
    waiters.leave("a")
    assert len(waiters) == 0
