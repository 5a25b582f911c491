"""Work that must be finished is finished, and what was made is taken back."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loadpath.local.cancellation import finish, in_thread, made_in_thread, together


async def test_finish_survives_every_cancellation() -> None:
    """Cleanup runs to its end however often its task is cancelled; then the cancellation shows."""
    done = []

    async def cleanup() -> None:
        await asyncio.sleep(0.05)
        done.append("cleaned")

    task = asyncio.create_task(finish(cleanup()))
    for _ in range(3):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned"]


async def test_finish_returns_and_raises_as_the_work_does() -> None:
    """Without a cancellation, the result or the error of the work is the caller's."""

    async def fail() -> None:
        raise ValueError("broken")

    assert await finish(asyncio.sleep(0, "result")) == "result"
    with pytest.raises(ValueError, match="broken"):
        await finish(fail())


async def test_in_thread_takes_back_what_a_cancelled_caller_cannot_have() -> None:
    """A thing made by a thread after its caller was cancelled is undone before the caller ends."""
    go, undone = threading.Event(), []

    def make() -> str:
        go.wait(5)
        return "thing"

    task = asyncio.create_task(made_in_thread(make, undo=undone.append))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == ["thing"]


async def test_in_thread_has_nothing_to_take_back_from_a_failure() -> None:
    """When the thread failed, a cancelled caller undoes nothing."""
    go, undone = threading.Event(), []

    def fail() -> str:
        go.wait(5)
        raise ValueError

    task = asyncio.create_task(made_in_thread(fail, undo=undone.append))
    await asyncio.sleep(0.01)
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == []


async def test_work_that_still_waits_for_its_thread_is_never_done() -> None:
    """A cancelled caller waits for no turn, and there is nothing to take back."""
    go, did, undone = threading.Event(), [], []
    with ThreadPoolExecutor(1) as one:
        busy = one.submit(go.wait, 5)
        task = asyncio.create_task(
            made_in_thread(lambda: did.append("made"), undo=undone.append, executor=one)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not busy.done()
        go.set()
    assert did == undone == []


async def test_in_thread_waits_for_a_thread_that_cannot_be_stopped() -> None:
    """A cancelled caller goes on only when the thread has written its last."""
    go, written = threading.Event(), []

    def write(text: str) -> None:
        go.wait(5)
        written.append(text)

    task = asyncio.create_task(in_thread(write, "last"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert written == ["last"]


async def test_together_raises_the_first_failure_itself() -> None:
    """One failure cancels the others and arrives unwrapped, not as a group."""
    cancelled = []

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("first")

    async def wait() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(ValueError, match="first"):
        await together(wait(), fail(), wait())
    assert cancelled == [True, True]
