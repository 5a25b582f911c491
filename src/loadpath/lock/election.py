"""One leader among candidates: campaign, observe, resign.

A term is a lease: it is renewed while the leader lives, ends the moment it is not certain, and its
fencing token numbers the terms.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import NamedTuple

from loadpath.lock.held import HeldLock
from loadpath.lock.lock import DistributedLock
from loadpath.lock.options import LockOptions


class Leader(NamedTuple):
    """Say who leads.

    Attributes:
        name: Label of the leader's `DistributedLock`.
        token: Fencing token of its term; the next term's is larger.
    """

    name: str
    token: int


class LeaderElection:
    """Elect one of those who campaign under a key.

    Args:
        lock: Where terms are kept; its label is the candidate's name.
        key: What the leader leads.
        options: How a term is kept; `ttl` is how long a dead leader is not replaced. A candidate
            waits for as long as it takes unless `wait` says otherwise.
    """

    def __init__(
        self, lock: DistributedLock, key: str, *, options: LockOptions | None = None
    ) -> None:
        chosen = options or lock.options
        self._lock = lock
        self._key = key
        self._options = replace(chosen, wait=inf) if chosen.wait is None else chosen
        self._term: HeldLock | None = None

    @property
    def leading(self) -> bool:
        """Whether this candidate leads, as far as can be guaranteed."""
        return self._term is not None and self._term.held

    async def campaign(self) -> HeldLock:
        """Wait to be elected and return the term; it lasts until `resign`, or until it is lost.

        Raises:
            LockTimeout: Somebody else led until the wait was over.
            LockUnavailableError: The store could not be asked.
            RuntimeError: This candidate leads already.
        """
        if self.leading:
            raise RuntimeError(f"{self._lock.label} leads {self._key!r} already: resign first")
        self._term = await self._lock.acquire(self._key, options=self._options)
        return self._term

    async def resign(self) -> bool:
        """Let the next candidate lead, and return whether this one led until now.

        Raises:
            ReleaseInDoubtError: The store did not answer; the term ends with its ttl.
        """
        term, self._term = self._term, None
        return term is not None and await self._lock.release(term)

    @asynccontextmanager
    async def term(self) -> AsyncIterator[HeldLock]:
        """Lead for the length of a block: campaign before it, resign after it.

        Raises:
            LeaseLost: The term ended before the block did; the block was cancelled.
        """
        async with self._lock.hold(self._key, options=self._options) as held:
            self._term = held
            try:
                yield held
            finally:
                self._term = None

    async def leader(self) -> Leader | None:
        """Return who leads, None when nobody does."""
        for held in await self._lock.store.held(self._key):
            if held.key == self._key:
                (holding, *_) = held.holdings
                return Leader(holding.label, holding.token)
        return None

    async def observe(self, *, every: float = 1.0) -> AsyncIterator[Leader | None]:
        """Yield who leads, now and whenever that has changed.

        Args:
            every: How often to look (s).
        """
        if not every > 0:
            raise ValueError(f"every must be above 0 s, not {every}")
        seen: list[Leader | None] = []
        while True:
            leader = await self.leader()
            if not seen or seen[-1] != leader:
                seen = [leader]
                yield leader
            await asyncio.sleep(every)
