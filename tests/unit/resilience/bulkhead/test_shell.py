"""Calls run side by side up to a bound, wait in order, and are refused beyond."""

import asyncio
import time
from random import Random

import pytest

from loadpath.resilience import (
    Bulkhead,
    BulkheadFull,
    BulkheadRejected,
    DeadlinePassed,
    TimedOut,
    Timeout,
)
from tests.unit.resilience.heard import Heard, answer, fail


class Room:
    """A dependency that counts who is in it."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.order: list[int] = []

    async def work(self, number: int) -> int:
        """Stay for some turns of the loop."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(number)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            self.inside -= 1
        return number


async def test_no_more_run_than_allowed_and_they_run_in_order() -> None:
    """Twenty calls, three places: first come, first served."""
    room, bulkhead = Room(), Bulkhead(3, queue=20)
    assert await asyncio.gather(*(bulkhead.call(room.work, n) for n in range(20))) == list(
        range(20)
    )
    assert room.most == 3
    assert room.order == list(range(20))
    assert bulkhead.snapshot().running == bulkhead.snapshot().waiting == 0


async def test_beyond_places_and_queue_calls_are_refused_at_once() -> None:
    """Two run, one waits, the others are refused and told why."""
    room, heard = Room(), Heard()
    bulkhead = Bulkhead(2, queue=1, name="reports", events=heard)
    ends = await asyncio.gather(
        *(bulkhead.call(room.work, n) for n in range(5)), return_exceptions=True
    )
    refused = [end for end in ends if isinstance(end, BulkheadFull)]
    assert len(refused) == bulkhead.snapshot().rejected == 2
    assert refused[0].name == "reports"
    assert "reports: no place is free and the queue is full" in str(refused[0])
    assert heard.events == [BulkheadRejected(name="reports", running=2, waiting=1)] * 2


async def test_a_wait_that_is_too_long_is_refused() -> None:
    """It was not tried, its place in the queue is free, and the place goes to the next."""
    bulkhead, free = Bulkhead(1, queue=2, max_wait=0.01), asyncio.Event()
    running = asyncio.create_task(bulkhead.call(free.wait))
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFull, match=r"no place became free in 0\.01 s"):
        await bulkhead.call(fail, AssertionError("it was tried"))
    assert bulkhead.snapshot().waiting == 0
    free.set()
    await running
    assert await bulkhead.call(answer) == "fine"


async def test_nobody_overtakes() -> None:
    """A call that comes while a place is being handed over waits behind the others."""
    bulkhead, order = Bulkhead(1, queue=5), []

    async def work(number: int) -> None:
        order.append(number)
        await asyncio.sleep(0)

    first = [asyncio.create_task(bulkhead.call(work, n)) for n in range(3)]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    late = asyncio.create_task(bulkhead.call(work, 3))
    await asyncio.gather(*first, late)
    assert order == [0, 1, 2, 3]


async def test_cancelled_at_any_moment_no_place_is_lost() -> None:
    """Thousands of calls run, wait and are cancelled at random; then all places are free."""
    room, bulkhead, chance = Room(), Bulkhead(3, queue=10, max_wait=5.0), Random(11)
    for _ in range(400):
        callers = [asyncio.create_task(bulkhead.call(room.work, n)) for n in range(10)]
        for _ in range(chance.randrange(8)):
            for caller in chance.sample(callers, 2):
                caller.cancel()
            await asyncio.sleep(0)
        ends = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(end, int | asyncio.CancelledError) for end in ends)
        assert room.inside == bulkhead.snapshot().running == bulkhead.snapshot().waiting == 0
    assert room.most == 3


async def test_a_place_given_to_a_cancelled_call_goes_on() -> None:
    """Cancelled in the same turn in which the place was given: the next one gets it."""
    bulkhead = Bulkhead(1, queue=2)
    async with bulkhead:
        given = asyncio.create_task(bulkhead.call(fail, AssertionError("it was tried")))
        behind = asyncio.create_task(bulkhead.call(answer))
        await asyncio.sleep(0)
    given.cancel()
    assert await behind == "fine"
    await asyncio.wait([given])
    assert given.cancelled()
    assert bulkhead.snapshot().running == 0


async def test_a_call_cancelled_just_before_is_passed_over() -> None:
    """Cancelled first and not resumed yet, it gets no place that another could use."""
    bulkhead = Bulkhead(1, queue=2)
    async with bulkhead:
        gone = asyncio.create_task(bulkhead.call(answer))
        behind = asyncio.create_task(bulkhead.call(answer))
        await asyncio.sleep(0)
        gone.cancel()
    assert await behind == "fine"
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert bulkhead.snapshot().running == bulkhead.snapshot().waiting == 0


async def test_a_block_holds_a_place() -> None:
    """`async with`, also when the block fails."""
    bulkhead = Bulkhead(1)
    async with bulkhead:
        with pytest.raises(BulkheadFull):
            await bulkhead.call(answer)
    with pytest.raises(OSError, match="down"):
        async with bulkhead:
            await fail(OSError("down"))
    assert bulkhead.snapshot().running == 0


def test_a_wait_without_meaning_is_refused() -> None:
    """The error names the argument and what to use."""
    with pytest.raises(ValueError, match="max_wait must be above 0 s, not 0: queue=0"):
        Bulkhead(1, max_wait=0)


async def test_an_acquired_place_is_left_once() -> None:
    """Leaving twice gives no second place away, and the next in line gets the first."""
    bulkhead = Bulkhead(1, queue=1)
    place = await bulkhead.acquire()
    waiting = asyncio.create_task(bulkhead.acquire())
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFull):
        await bulkhead.acquire()
    place.leave()
    place.leave()
    (await waiting).leave()
    assert bulkhead.snapshot().running == 0


async def test_a_call_that_still_waits_at_its_deadline_was_never_begun() -> None:
    """A `Timeout` around it does not call it in doubt: it is refused."""
    bulkhead, free = Bulkhead(1, queue=2), asyncio.Event()
    running = asyncio.create_task(bulkhead.call(free.wait))
    await asyncio.sleep(0)
    timeout = Timeout(0.05)
    with pytest.raises(DeadlinePassed):
        await timeout.call(bulkhead.call, answer)
    assert (bulkhead.snapshot().waiting, bulkhead.snapshot().rejected) == (0, 1)
    assert timeout.snapshot().timed_out == 0
    free.set()
    assert await running


async def test_a_call_that_has_begun_is_in_doubt_when_its_time_is_over() -> None:
    """A place was given to it in time, so that it may have happened."""
    bulkhead = Bulkhead(1, queue=2)
    first = asyncio.create_task(bulkhead.call(asyncio.sleep, 0.01))
    await asyncio.sleep(0)
    with pytest.raises(TimedOut):
        await Timeout(0.05).call(bulkhead.call, asyncio.Event().wait)
    await first
    assert bulkhead.snapshot().running == bulkhead.snapshot().rejected == 0


async def test_a_shorter_wait_than_the_deadline_is_told_as_such() -> None:
    """What comes first decides: `max_wait` here."""
    bulkhead, free = Bulkhead(1, queue=2, max_wait=0.01), asyncio.Event()
    running = asyncio.create_task(bulkhead.call(free.wait))
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFull, match="no place became free"):
        await Timeout(5.0).call(bulkhead.call, answer)
    free.set()
    await running


async def test_a_caller_that_is_cancelled_as_well_is_cancelled() -> None:
    """The end of its time hides nobody else's cancellation."""
    bulkhead, free = Bulkhead(1, queue=2), asyncio.Event()
    running = asyncio.create_task(bulkhead.call(free.wait))
    await asyncio.sleep(0)

    async def waiting() -> None:
        await Timeout(0.01).call(bulkhead.call, answer)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.005, block_then_cancel, task)
    with pytest.raises(asyncio.CancelledError):
        await task
    free.set()
    await running


def block_then_cancel(task: "asyncio.Task[None]") -> None:
    """Let the timeout become due, and cancel in the same turn of the loop."""
    time.sleep(0.02)
    asyncio.get_running_loop().call_soon(task.cancel)


@pytest.mark.parametrize("turns", range(6))
async def test_a_nested_timeout_takes_its_cancellation_back(turns: int) -> None:
    """After the refusal the task goes on as if nothing had happened, however deep it was."""
    bulkhead, free = Bulkhead(1, queue=9), asyncio.Event()
    running = asyncio.create_task(bulkhead.call(free.wait))
    await asyncio.sleep(0)
    with pytest.raises((DeadlinePassed, TimedOut)):
        async with Timeout(0.01).scope(), Timeout(0.01 + turns * 1e-4).scope():
            await bulkhead.call(answer)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    free.set()
    await running
