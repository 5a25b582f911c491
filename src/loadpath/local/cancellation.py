"""Finish what must be finished, however often the task is cancelled meanwhile.

A cancelled start must not forget a process that a thread has just started, and a cancelled stop
must not leave one running: both run to their end first, then the cancellation goes on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, then pass on a cancellation that came meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()


async def in_thread(
    work: Callable[P, T],
    *arguments: P.args,
    **named: P.kwargs,
) -> T:
    """Run blocking `work` in a thread; when cancelled, wait for its end before going on.

    A thread cannot be stopped: left alone, it would go on writing into a folder that the cancelled
    caller is about to remove.
    """
    return await made_in_thread(partial(work, *arguments, **named), undo=lambda _: None)


async def made_in_thread(
    work: Callable[[], T], *, undo: Callable[[T], None], executor: Executor | None = None
) -> T:
    """Run blocking `work` in a thread; when cancelled meanwhile, undo what it made.

    Work that still waits for a thread then is never done.

    Args:
        work: Blocking call that makes something.
        undo: Blocking call that takes it back.
        executor: Where both run; the loop's own threads by default.
    """
    waiting: Future[T] = Future()
    asyncio.get_running_loop().run_in_executor(executor, _make, waiting, work)
    made = asyncio.wrap_future(waiting)
    try:
        return await asyncio.shield(made)
    except asyncio.CancelledError:
        if not waiting.cancel():
            await finish(_undo(made, undo, executor))
        raise


def _make(waiting: Future[T], work: Callable[[], T]) -> None:
    """Do the work unless nobody wants it any more (blocking)."""
    if not waiting.set_running_or_notify_cancel():
        return
    try:
        made = work()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
        waiting.set_exception(error)
    else:
        waiting.set_result(made)


async def _undo(
    made: "asyncio.Future[T]", undo: Callable[[T], None], executor: Executor | None
) -> None:
    await asyncio.wait([made])
    if made.exception() is None:
        await asyncio.get_running_loop().run_in_executor(executor, undo, made.result())


async def together(*work: Coroutine[Any, Any, object]) -> None:
    """Run all at once; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
