"""Bound many waits of one length with one timer: a timer for each would cost more than the wait."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

T = TypeVar("T")
TICKS: Final = 8
"""Parts of the allowed time after which is looked what is late."""


class Deadlines:
    """Wait for replies, but not longer than allowed, and an eighth of it.

    Args:
        timeout: How long each may take (s).
    """

    __slots__ = ("_late", "_tick", "_timeout", "_timer", "_waiting")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._waiting: dict[asyncio.Future[Any], int] = {}
        self._late: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tick = 0

    async def within(self, work: Awaitable[T]) -> T:
        """Return what `work` comes to.

        Raises:
            TimeoutError: It took longer; it was cancelled.
        """
        future = self.watch(work)
        try:
            return await future
        except asyncio.CancelledError:
            self.check(future)
            raise
        finally:
            self.forget(future)

    def watch(self, work: Awaitable[T]) -> "asyncio.Future[T]":
        """Return a future that is cancelled when it is late; `forget` must follow."""
        future = work if isinstance(work, asyncio.Future) else asyncio.ensure_future(work)
        self._waiting[future] = self._tick
        if self._timer is None:
            loop = future.get_loop()
            self._timer = loop.call_later(self._timeout / TICKS, self._look, loop)
        return future

    def forget(self, future: "asyncio.Future[Any]") -> None:
        """End the watch over a future."""
        self._waiting.pop(future, None)

    def check(self, future: "asyncio.Future[Any]") -> None:
        """Tell whether a future was cancelled because it was late, and not its caller.

        Raises:
            TimeoutError: It was.
        """
        late = future in self._late
        self._late.discard(future)
        task = asyncio.current_task()
        if late and not (task is not None and task.cancelling()):
            raise TimeoutError(f"no reply in {self._timeout:g} s") from None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what is late; all wait equally long, so those who began first are due first."""
        self._tick += 1
        self._timer = None
        for future, began in list(self._waiting.items()):
            if self._tick - began <= TICKS:
                self._timer = loop.call_later(self._timeout / TICKS, self._look, loop)
                return
            del self._waiting[future]
            if future.cancel():
                self._late.add(future)
