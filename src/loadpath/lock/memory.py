"""Locks within one process: for tests, and for programs that have not grown yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadpath.core.clock import Clock, SystemClock
from loadpath.lock.ledger import Ask, Busy, Grant, Handover, Ledger
from loadpath.lock.store import Held, OnGap, OnGrant, OnWanted

FORGET_ABOVE = 10_000


class MemoryLockStore:
    """Keep leases in memory; every `DistributedLock` over the same store shares them.

    Args:
        clock: Tells the time of leases and tokens.

    Attributes:
        tells: Waiters hear of a grant.
    """

    tells = True

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._ledgers: dict[str, Ledger] = {}
        self._forgotten = 0
        self._listeners: list[OnGrant] = []

    async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
        """Give the lock to `ask.owner`, or a place in the queue."""
        ledger = self._ledgers.get(key)
        if ledger is None:
            self._forget_idle()
            ledger = self._ledgers[key] = Ledger(last_token=self._forgotten)
        answer, handed = ledger.acquire(ask, now=self._clock.monotonic(), wall=self._clock.time())
        self._tell(handed)
        return answer

    async def renew(self, key: str, ask: Ask, ttl: float) -> bool:
        """Lengthen the lease of `ask.owner` to `ttl` from now; False when it has none."""
        ledger = self._ledgers.get(key)
        return ledger is not None and ledger.renew(ask.owner, ttl, now=self._clock.monotonic())

    async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
        """Give back the lock of `ask.owner` and leave the queue; False when it had none."""
        del token
        ledger = self._ledgers.get(key)
        if ledger is None:
            return False
        now, wall = self._clock.monotonic(), self._clock.time()
        released, handed = ledger.release(ask.owner, now=now, wall=wall)
        self._tell(handed)
        return released

    async def held(self, prefix: str = "") -> list[Held]:
        """Return the locks that are held, of keys that begin with `prefix`."""
        now = self._clock.monotonic()
        return [
            Held(key, holdings, ledger.waiting)
            for key, ledger in sorted(self._ledgers.items())
            if key.startswith(prefix) and (holdings := ledger.holdings(now))
        ]

    async def evict(self, key: str, token: int | None = None) -> int:
        """Take the lock from its holders, or from that with a token; return from how many."""
        ledger = self._ledgers.get(key, Ledger())
        held = ledger.holdings(self._clock.monotonic())
        chosen = [one.owner for one in held if token in (None, one.token)]
        for owner in chosen:
            await self.release(key, Ask(owner, 1.0))
        return len(chosen)

    @asynccontextmanager
    async def listening(
        self, on_grant: OnGrant, on_gap: OnGap, on_wanted: OnWanted
    ) -> AsyncIterator[None]:
        """Hear within the block which waiters were given their lock; there are no gaps."""
        del on_gap, on_wanted
        self._listeners.append(on_grant)
        try:
            yield
        finally:
            self._listeners.remove(on_grant)

    def _tell(self, handed: list[Handover]) -> None:
        for owner, token in handed:
            for listener in tuple(self._listeners):
                listener(owner, token)

    def _forget_idle(self) -> None:
        """Forget locks that nobody uses, and keep a token that is above all of theirs."""
        if len(self._ledgers) < FORGET_ABOVE:
            return
        for key in [key for key, ledger in self._ledgers.items() if ledger.idle]:
            self._forgotten = max(self._forgotten, self._ledgers.pop(key).last_token)
