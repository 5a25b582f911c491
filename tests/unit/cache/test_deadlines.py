"""Replies come, or a timeout does, and cancellation is neither."""

import asyncio

import pytest

from loadpath.cache.deadlines import Deadlines


async def test_a_reply_in_time_is_returned() -> None:
    """Of a future and of a coroutine."""
    deadlines = Deadlines(60.0)

    async def work() -> int:
        await asyncio.sleep(0)
        return 1

    assert await deadlines.within(work()) == 1
    assert not deadlines._waiting


async def test_what_is_late_is_cancelled_and_told() -> None:
    """Each of many, by one timer."""
    deadlines = Deadlines(0.05)
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(50)]
    outcomes = await asyncio.gather(
        *(deadlines.within(one) for one in futures), return_exceptions=True
    )
    assert {type(one) for one in outcomes} == {TimeoutError}
    assert all(one.cancelled() for one in futures)
    assert not deadlines._waiting
    assert not deadlines._late


async def test_a_cancelled_caller_is_cancelled() -> None:
    """Not late; the others go on."""
    deadlines = Deadlines(60.0)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    other: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(deadlines.within(future))
    rest = asyncio.create_task(deadlines.within(other))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other.set_result(2)
    assert await rest == 2
    assert not deadlines._waiting


async def test_a_caller_that_is_cancelled_when_it_is_late_is_cancelled() -> None:
    """Its cancellation is not lost."""
    deadlines = Deadlines(0.01)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: task.cancel())  # before the task hears of it
    task = asyncio.create_task(deadlines.within(future))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadlines._late
