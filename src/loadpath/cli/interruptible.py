"""Run a coroutine that Ctrl-C stops cleanly, once: what it started is stopped first."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from loadpath.cli.entry import StoppedError

T = TypeVar("T")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; a signal cancels it, further ones do not disturb its cleaning up.

    Raises:
        StoppedError: A signal came, and `work` has ended.
    """
    return asyncio.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    came: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not came:
            came.append(number)
            task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not came:
            raise
        raise StoppedError(came[0]) from None
