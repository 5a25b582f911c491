"""Gives back what was asked for and is not wanted any more: after a cancellation or a lost answer.

Whoever gave up does not wait for this. It is tried until the store answers, or until the lease has
ended by itself; so it is bounded in time, and by `MOST` in number.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from random import Random

from loadpath.core.backoff import Backoff
from loadpath.lock.ledger import Ask

MOST = 10_000
AT_ONCE = 64

Release = Callable[[str, Ask], Awaitable[bool]]
"""Gives back what was asked for under a key."""


class Cleaner:
    """Release in the background.

    Args:
        release: Asks the store.
        random: Where the jitter between tries comes from.
    """

    def __init__(self, release: Release, random: Random) -> None:
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._left: OrderedDict[tuple[str, Ask], float] = OrderedDict()
        self._backoff = Backoff(base=0.05, cap=1.0, jitter="equal")
        self._random = random
        self._task: asyncio.Task[None] | None = None

    @property
    def left(self) -> int:
        """How many are not given back yet."""
        return len(self._left)

    def add(self, key: str, ask: Ask, until: float) -> None:
        """Give back what was asked for; it ends by itself at `until` (s, the loop's clock)."""
        self._left[key, ask] = until
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._work())

    async def close(self, within: float) -> None:
        """Go on for at most `within` seconds."""
        if self._task is not None:
            try:
                await asyncio.wait([self._task], timeout=within)
            finally:
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task

    async def _work(self) -> None:
        failures = 0
        while self._left:
            batch = list(islice(self._left, AT_ONCE))
            done = await asyncio.gather(*(self._try(*one) for one in batch))
            failures = 0 if any(done) else failures + 1
            if failures:
                await asyncio.sleep(self._backoff.delay(failures, self._random))

    async def _try(self, key: str, ask: Ask) -> bool:
        try:
            await self._release(key, ask)
        except Exception:  # noqa: BLE001 - whatever it is, only the ttl ends the trying
            if self._left.get((key, ask), 0.0) > self._loop.time():
                return False
        self._left.pop((key, ask), None)
        return True
