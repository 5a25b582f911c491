"""What a lock needs of a store: one atomic decision at a time, by the rules of the ledger."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from loadpath.lock.ledger import Ask, Busy, Grant, Holding

OnGrant = Callable[[str, int], None]
"""Hears that a waiter of this process was given the lock: its owner, and its token or `ASK`."""
ASK = 0
"""Instead of a token: the waiter should ask for it."""
OnGap = Callable[[], None]
"""Hears that grants may have been missed: waiters ask again."""
OnWanted = Callable[[str], None]
"""Hears that somebody waits for what a holder of this process has: its owner."""


class Held(NamedTuple):
    """Say what is held.

    Attributes:
        key: The lock.
        holdings: Who holds it.
        waiting: How many wait.
    """

    key: str
    holdings: list[Holding]
    waiting: int


class LockStore(Protocol):
    """Keep leases. Every call is atomic, and safe to repeat after a lost answer.

    Raises of every call: an `InDoubtError` when there was no answer, a `RejectedError` when it
    was not asked.

    Attributes:
        tells: Whether waiters hear of a grant, or have to ask.
    """

    tells: bool

    async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
        """Give the lock to `ask.owner`, or a place in the queue.

        An owner that holds it already gets its lease lengthened to the full ttl.
        """
        ...

    async def renew(self, key: str, ask: Ask, ttl: float) -> bool:
        """Lengthen the lease of `ask.owner` to `ttl` from now; False when it has none."""
        ...

    async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
        """Give back the lock of `ask.owner` and leave the queue; False when it had none.

        A token that is known may make it cheaper.
        """
        ...

    async def held(self, prefix: str = "") -> list[Held]:
        """Return the locks that are held, of keys that begin with `prefix`."""
        ...

    async def evict(self, key: str, token: int | None = None) -> int:
        """Take the lock from its holders, or from that with a token; return from how many."""
        ...

    def listening(
        self, on_grant: OnGrant, on_gap: OnGap, on_wanted: OnWanted
    ) -> AbstractAsyncContextManager[None]:
        """Hear within the block which waiters of this process were given their lock.

        `on_wanted` is for a store whose release is cheaper when nobody waits: it tells which
        holders should not try that.
        """
        ...
