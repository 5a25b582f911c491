"""Renews what is held for longer than a third of its ttl, and tells what was lost.

A lease that is given back sooner costs no timer and no task: leases of one ttl fall due in the
order of their grant, so one timer per ttl watches the oldest.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from random import Random

from loadpath.core.backoff import Backoff
from loadpath.lock.held import HeldLock

Renew = Callable[[HeldLock, float], Awaitable[bool]]
"""Renews a lock for a ttl; False when the store does not know it any more."""
TRIES_PER_TTL = 20


class Watchdog:
    """Keep leases alive until they are let go.

    Args:
        renew: Asks the store.
        random: Where the jitter between tries comes from.
    """

    def __init__(self, renew: Renew, random: Random) -> None:
        self._renew = renew
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._due: dict[float, OrderedDict[HeldLock, float]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}
        self._renewing: dict[HeldLock, asyncio.Task[None]] = {}

    def watch(self, lock: HeldLock) -> None:
        """Renew a lock from now on."""
        ttl, when = lock.ttl, lock.renew_at
        due = self._due.get(ttl)
        if due is None:
            due = self._due[ttl] = OrderedDict()
            self._arm(ttl, when)
        elif when < self._timers[ttl].when():
            self._timers[ttl].cancel()
            self._arm(ttl, when)
        due[lock] = when

    def let_go(self, lock: HeldLock) -> None:
        """Renew a lock no more."""
        due = self._due.get(lock.ttl)
        if due is not None:
            due.pop(lock, None)
        renewing = self._renewing.pop(lock, None)
        if renewing is not None:
            renewing.cancel()

    async def close(self) -> None:
        """Renew nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._due.clear()
        tasks = list(self._renewing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arm(self, ttl: float, when: float) -> None:
        self._timers[ttl] = self._loop.call_at(when, self._fall_due, ttl)

    def _fall_due(self, ttl: float) -> None:
        del self._timers[ttl]
        due, now = self._due[ttl], self._loop.time()
        for lock in [lock for lock, when in due.items() if when <= now]:
            del due[lock]
            task = self._loop.create_task(self._keep(lock))
            self._renewing[lock] = task
        if due:
            self._arm(ttl, max(min(due.values()), now + ttl / TRIES_PER_TTL))
        else:
            del self._due[ttl]

    async def _keep(self, lock: HeldLock) -> None:
        """Renew once, trying until it is certain that the lease is over."""
        try:
            async with asyncio.timeout_at(lock.expires):
                known = await self._asked_until_answered(lock)
        except TimeoutError:
            known = False
        finally:
            self._renewing.pop(lock, None)
        if known:
            self.watch(lock)
        else:
            lock.lose("it could not be renewed in time" if lock.lost else "the store took it away")

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
                    lock.renewed(asked, lock.ttl)
                return known and lock.held
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")
