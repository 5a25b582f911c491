"""A place is held over any span, and left once."""

import asyncio
import time

import pytest

from loadpath.resilience import Bulkhead, BulkheadFull, DeadlinePassed
from loadpath.upstream.place import take_place


async def test_a_place_is_left_once() -> None:
    """Leaving twice gives no second place away."""
    bulkhead = Bulkhead(2)
    first = await take_place(bulkhead, float("inf"))
    await take_place(bulkhead, float("inf"))
    with pytest.raises(BulkheadFull):
        await take_place(bulkhead, float("inf"))
    first.leave()
    first.leave()
    assert bulkhead.snapshot().running == 1


async def test_the_wait_ends_at_the_deadline() -> None:
    """Whoever would get a place too late is told that no time is left, and waits no more."""
    bulkhead = Bulkhead(1, queue=1)
    place = await take_place(bulkhead, float("inf"))
    with pytest.raises(DeadlinePassed):
        await take_place(bulkhead, time.monotonic() + 0.01)
    assert bulkhead.snapshot().waiting == 0
    place.leave()
    assert bulkhead.snapshot().running == 0


async def test_one_that_waits_gets_the_place_that_is_left() -> None:
    """Leaving, even in a finalizer, wakes whoever waits longest."""
    bulkhead = Bulkhead(1, queue=1)
    place = await take_place(bulkhead, float("inf"))
    waiting = asyncio.create_task(take_place(bulkhead, float("inf")))
    await asyncio.sleep(0)
    place.leave()
    (await waiting).leave()
    assert bulkhead.snapshot().running == 0
