"""Bound many waits of one length with one timer: a timer for each would cost more than the wait."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlines:
    """Wait for replies, but not longer than allowed.

    Args:
        timeout: How long each may take (s).
    """

    __slots__ = ("_due", "_late", "_timeout", "_timer")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._due: dict[asyncio.Future[Any], float] = {}
        self._late: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Awaitable[T]) -> T:
        """Return what `work` comes to.

        Raises:
            TimeoutError: It took longer; it was cancelled.
        """
        future = asyncio.ensure_future(work)
        loop = future.get_loop()
        self._due[future] = loop.time() + self._timeout
        if self._timer is None:
            self._timer = loop.call_later(self._timeout, self._tick, loop)
        try:
            return await future
        except asyncio.CancelledError:
            if future in self._late:
                raise TimeoutError(f"no reply in {self._timeout:g} s") from None
            raise
        finally:
            self._due.pop(future, None)
            self._late.discard(future)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what is late; all wait equally long, so the oldest is due first."""
        now = loop.time()
        self._timer = None
        for future, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_at(due, self._tick, loop)
                return
            del self._due[future]
            if future.cancel():
                self._late.add(future)
