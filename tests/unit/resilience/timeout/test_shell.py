"""A call is stopped in time, and what is stopped is in doubt."""

import asyncio
from random import Random

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.resilience import CallTimedOut, Deadline, DeadlinePassed, TimedOut, Timeout
from loadpath.testing import FakeClock
from tests.unit.resilience.heard import Heard, answer, fail


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def test_an_answer_in_time_is_returned() -> None:
    """So is an error, and inside the deadline is known."""

    async def left() -> float:
        return Deadline.current().remaining(100.0)

    clock = FakeClock(monotonic=100.0)
    assert await Timeout(5.0, clock=clock).call(left) == 5.0
    with pytest.raises(OSError, match="down"):
        await Timeout(5.0).call(fail, OSError("down"))
    assert Deadline.current() == Deadline()


async def test_a_late_call_is_stopped_and_in_doubt() -> None:
    """The task inside is cancelled and has ended; callers catch TimeoutError as ever."""
    heard, ended = Heard(), asyncio.Event()

    async def late() -> None:
        try:
            await hang()
        finally:
            ended.set()

    timeout = Timeout(0.01, name="t", events=heard)
    with pytest.raises(TimedOut, match=r"no answer in 0\.010 s") as caught:
        await timeout.call(late)
    assert ended.is_set()
    assert isinstance(caught.value, InDoubtError)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.seconds == 0.01
    assert heard.events == [CallTimedOut(name="t", seconds=0.01)]
    assert timeout.snapshot().timed_out == 1


async def test_an_outer_deadline_that_is_earlier_holds() -> None:
    """Asking for more inside gives no more."""
    with pytest.raises(TimedOut):
        async with Timeout(0.01).scope():
            await Timeout(60.0).call(hang)
    clock = FakeClock()
    clock.advance(0.99)
    with Deadline(1.0).applied(), pytest.raises(TimedOut) as caught:
        await Timeout(60.0, clock=clock).call(hang)
    assert caught.value.seconds == pytest.approx(0.01)


async def test_without_time_nothing_is_begun() -> None:
    """It is a rejection: nothing was tried."""
    clock = FakeClock(monotonic=5.0)
    timeout = Timeout(1.0, clock=clock)
    with Deadline(5.0).applied(), pytest.raises(DeadlinePassed) as caught:
        await timeout.call(fail, AssertionError("it was begun"))
    assert isinstance(caught.value, RejectedError)
    assert isinstance(caught.value, TimeoutError)
    assert (timeout.snapshot().refused, timeout.snapshot().timed_out) == (1, 0)


async def test_other_timeouts_stay_what_they_are() -> None:
    """A TimeoutError of the call itself is not ours."""
    with pytest.raises(TimeoutError, match="theirs") as caught:
        await Timeout(5.0).call(fail, TimeoutError("theirs"))
    assert not isinstance(caught.value, TimedOut)


async def test_a_cancellation_from_outside_stays_one() -> None:
    """Thousands are cancelled at random moments: none becomes a timeout, no deadline stays."""
    chance, timeout = Random(2), Timeout(60.0)

    async def steps() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        await hang()

    for _ in range(2_000):
        caller = asyncio.create_task(timeout.call(steps))
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
    assert timeout.snapshot().timed_out == 0
    assert Deadline.current() == Deadline()


async def test_blocks_overlap() -> None:
    """One timeout bounds many blocks at once."""
    timeout = Timeout(5.0)

    async def block() -> str:
        async with timeout.scope():
            await asyncio.sleep(0)
            return await answer()

    assert await asyncio.gather(*(block() for _ in range(10))) == ["fine"] * 10
    assert timeout.snapshot().calls == 10


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_timeout_without_meaning_is_refused(seconds: float) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="seconds must be above 0 and finite"):
        Timeout(seconds)
