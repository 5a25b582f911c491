"""What the holder of a lock has in hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from loadpath.lock.errors import LeaseLost
from loadpath.lock.lease import Lease
from loadpath.lock.ledger import Ask

OnLost = Callable[[], None]
GONE = "the store took it away"


@dataclass(slots=True, eq=False)
class HeldLock:
    """Hold one lock.

    Attributes:
        key: The lock.
        ask: What the store was asked for; its owner names this acquisition, and no other ever.
        wanted: Whether others wait for it, as far as was heard.
    """

    key: str
    ask: Ask
    _lease: Lease
    _loop: asyncio.AbstractEventLoop
    wanted: bool = False
    _told: bool = False
    _why: str = "its ttl passed without a renewal"
    _on_lost: OnLost | None = None

    @property
    def token(self) -> int:
        """Fencing token: larger than that of every earlier holder. Give it to what you write to."""
        return self._lease.token

    @property
    def ttl(self) -> float:
        """How long a renewal lasts (s)."""
        return self._lease.ttl

    @property
    def held(self) -> bool:
        """Whether the lock is still guaranteed to be ours."""
        return self._lease.check(self._loop.time())

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do for it: its loss was told, or it was released."""
        return self._told or self._lease.state == "released"

    @property
    def lost(self) -> bool:
        """Whether it was lost before it was released."""
        self._lease.check(self._loop.time())
        return self._lease.state == "lost"

    @property
    def remaining(self) -> float:
        """How long it is guaranteed without another renewal (s)."""
        return self._lease.remaining(self._loop.time())

    @property
    def expires(self) -> float:
        """Until when it is guaranteed, by the loop's clock (s)."""
        return self._lease.expires

    @property
    def renew_at(self) -> float:
        """When its next renewal is due, by the loop's clock (s)."""
        return self._lease.renew_at

    def check(self) -> None:
        """Make sure that the lock is still held, as before something that cannot be undone.

        Raises:
            LeaseLost: It is not.
        """
        if not self.held:
            raise self.loss()

    def when_lost(self, on_lost: OnLost) -> None:
        """Have `on_lost` called, and nobody else, if the lease is lost before it is released."""
        self._on_lost = on_lost

    def change(self, ttl: float) -> None:
        """Note that a renewal with another ttl leaves now."""
        self._lease.change(ttl, self._loop.time())

    def renewed(self, asked: float) -> None:
        """Note that a renewal that left at `asked` succeeded (s)."""
        self._lease.renew(asked, self._loop.time())

    def lose(self, why: str) -> None:
        """Note that it can no longer be guaranteed, and tell those who asked."""
        self._lease.check(self._loop.time())
        self._lease.lose()
        if self._lease.state == "lost" and not self._told:
            self._why, self._told = why, True
            if self._on_lost is not None:
                self._on_lost()

    def let_go(self) -> bool:
        """Note that the holder is done with it, and return whether it was still held."""
        self._on_lost = None
        return self._lease.release(self._loop.time())

    def found_gone(self) -> None:
        """Note that the store did not know it any more when it was given back."""
        self._why = GONE

    def loss(self) -> LeaseLost:
        """Return the error that says that, and why, this lock is lost."""
        return LeaseLost(self.key, self.token, self._why)
