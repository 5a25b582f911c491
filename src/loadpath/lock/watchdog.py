"""Renews what is held for longer than a third of its ttl, and tells what was lost.

One timer looks over everything that is held, several times per shortest ttl. So a lease that is
given back sooner costs neither a timer nor a task of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from random import Random

from loadpath.core.backoff import Backoff
from loadpath.lock.held import GONE, HeldLock

Renew = Callable[[HeldLock, float], Awaitable[bool]]
"""Renews a lock for a ttl; False when the store does not know it any more."""
LOOKS_PER_TTL = 12
TRIES_PER_TTL = 20


class Watchdog:
    """Keep leases alive until they are let go.

    Args:
        held: What is held now, by owner.
        renew: Asks the store.
        random: Where the jitter between tries comes from.
    """

    def __init__(self, held: Mapping[str, HeldLock], renew: Renew, random: Random) -> None:
        self._held = held
        self._renew = renew
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._shortest = inf
        self._renewing: dict[HeldLock, asyncio.Task[None]] = {}

    def watch(self, lock: HeldLock) -> None:
        """Renew a lock that is held from now on."""
        if lock.ttl < self._shortest or lock.renew_at <= self._loop.time():
            self._look()

    def let_go(self, lock: HeldLock) -> None:
        """Renew a lock no more."""
        if self._renewing and (renewing := self._renewing.pop(lock, None)) is not None:
            renewing.cancel()

    async def close(self) -> None:
        """Renew nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._renewing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self) -> None:
        """Renew what is due, and look again soon enough for the shortest lease."""
        now = self._loop.time()
        for lock in self._held.values():
            if lock.renew_at <= now and lock not in self._renewing and not lock.ended:
                self._renewing[lock] = self._loop.create_task(self._keep(lock))
        if self._timer is not None:
            self._timer.cancel()
        self._shortest = min((lock.ttl for lock in self._held.values()), default=inf)
        if self._shortest < inf:
            self._timer = self._loop.call_later(self._shortest / LOOKS_PER_TTL, self._look)

    async def _keep(self, lock: HeldLock) -> None:
        """Renew once, trying until it is certain that the lease is over."""
        try:
            async with asyncio.timeout_at(lock.expires):
                known = await self._asked_until_answered(lock)
        except TimeoutError:
            known = False
        finally:
            self._renewing.pop(lock, None)
        if not known:
            lock.lose("it could not be renewed in time" if lock.lost else GONE)

    async def _asked_until_answered(self, lock: HeldLock) -> bool:
        """Return whether the store still knows the lease, which is renewed then."""
        backoff = Backoff(base=lock.ttl / TRIES_PER_TTL, cap=lock.ttl / 5, jitter="equal")
        for delay in backoff.delays(self._random):
            asked = self._loop.time()
            try:
                known = await self._renew(lock, lock.ttl)
            except Exception:  # noqa: BLE001, S110 - whatever it is, only the ttl ends the trying
                pass
            else:
                if known:
                    lock.renewed(asked)
                return known and lock.held
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")
