"""Wait for a reply, but not longer than allowed; cheaper than a timeout scope per command."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Return what `work` comes to.

    Raises:
        TimeoutError: It took longer; it was cancelled.
    """
    future = asyncio.ensure_future(work)
    late = False

    def give_up() -> None:
        nonlocal late
        late = future.cancel()

    timer = future.get_loop().call_later(seconds, give_up)
    try:
        return await future
    except asyncio.CancelledError:
        if late:
            raise TimeoutError(f"no reply in {seconds:g} s") from None
        raise
    finally:
        timer.cancel()
