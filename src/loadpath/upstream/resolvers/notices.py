"""Look at once when a server says that something changed; looking now and then goes on.

A notice can be lost (nobody listens while the connection is made anew, a network swallows it), so
it never replaces the look: it only makes the next one earlier.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

Ring = Callable[[], None]
Listen = Callable[[Ring], Coroutine[Any, Any, None]]
"""Calls what it is given at every notice, and once when it begins to listen; ends with the
connection, by an error or without one."""

LEAST_GAP = 0.05
"""Least time between two looks (s): a storm of notices is one look each."""


class Notices:
    """Wait for notices, as an async context manager that listens meanwhile.

    Args:
        listen: Listens; None for nobody, so that every wait takes its time.
        retry: Seconds before it listens again after it stopped.
    """

    def __init__(self, listen: Listen | None, *, retry: float) -> None:
        self._listen = listen
        self._retry = retry
        self._rung = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._listening = True  # until it failed: the first failure in a row is told

    async def __aenter__(self) -> Self:
        if self._listen is not None:
            self._task = asyncio.create_task(self._keep_listening(self._listen))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = self._task
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def wait(self, seconds: float) -> None:
        """Return after a notice, or after `seconds` without one."""
        if self._task is None:
            await asyncio.sleep(seconds)
            return
        gap = min(LEAST_GAP, seconds)
        await asyncio.sleep(gap)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - gap):
                await self._rung.wait()
        self._rung.clear()

    def failure(self) -> Exception | None:
        """Return why nobody listens, once in a row; None when somebody does."""
        failure, self._failure = self._failure, None
        return failure

    async def _keep_listening(self, listen: Listen) -> None:
        while True:
            try:
                await listen(self._ring)
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, nobody listens
                if self._listening:
                    self._failure = error
                    self._rung.set()
                self._listening = False
            await asyncio.sleep(self._retry)

    def _ring(self) -> None:
        self._listening = True
        self._rung.set()
