"""Who holds a lock and who waits for it: the rules of every store, pure.

A lock has a capacity, a holder takes a weight of it: an exclusive lock is 1 of 1, a semaphore 1 of
n, a reader 1 of many and a writer all of them. Waiters stand in one queue; whoever is first gets
the lock as soon as it fits, even while it is not asking, so a release hands over in one step and
nobody overtakes. Holders are gone when their lease expires, waiters when they stop asking.

A token is `max(the last one + 1, the wall clock in microseconds)`. As long as the store remembers
the last one, tokens grow whatever the clock does. When it has forgotten, after a flush, an empty
restart or a failover that lost the newest grants, they still grow if the clock of the server that
answers is not behind the moment of the last grant.

Source: M. Kleppmann, "How to do distributed locking" (2016), for fencing tokens.
"""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

MICROSECONDS = 1_000_000


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask for a lock.

    Attributes:
        owner: Names this acquisition, and no other ever, so that asking again is idempotent; who it
            is, a slash, and what makes it unique, without blanks.
        ttl: How long the lease lasts without renewal (s).
        patience: How long to stay in the queue without asking again (s); 0 for not queueing.
        weight: Share of the capacity that is taken.
        capacity: Sum of the weights that may be held at once.
    """

    owner: str
    ttl: float
    patience: float = 0.0
    weight: int = 1
    capacity: int = 1


class Grant(msgspec.Struct, frozen=True, gc=False):
    """Say that the lock is held, under this token."""

    token: int


class Busy(NamedTuple):
    """Say that it is not.

    Attributes:
        expires_in: When the first lease on it expires unless it is renewed (s).
        ahead: Waiters before this one.
    """

    expires_in: float
    ahead: int


class Handover(NamedTuple):
    """Say that a waiter was given the lock without asking.

    Attributes:
        owner: Whose acquisition.
        token: Its token.
    """

    owner: str
    token: int


class Holding(NamedTuple):
    """Say who holds a lock.

    Attributes:
        owner: Whose acquisition.
        token: Its token.
        expires_in: When the lease expires unless it is renewed (s).
        weight: Share of the capacity.
    """

    owner: str
    token: int
    expires_in: float
    weight: int

    @property
    def label(self) -> str:
        """Who it is, for people."""
        return unquote(self.owner.rpartition("/")[0])


@dataclass(slots=True)
class _Holder:
    token: int
    expires: float
    weight: int


@dataclass(slots=True)
class _Waiter:
    ask: Ask
    until: float


@dataclass(slots=True)
class Ledger:
    """Keep one lock. Times are of one clock that never runs backwards; `wall` is Unix time (s)."""

    last_token: int = 0
    _holders: dict[str, _Holder] = field(default_factory=dict)
    _queue: dict[str, _Waiter] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether nobody holds it or waits for it."""
        return not self._holders and not self._queue

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def acquire(self, ask: Ask, *, now: float, wall: float) -> tuple[Grant | Busy, list[Handover]]:
        """Give the lock, or a place in the queue; also tell who was given it meanwhile."""
        handed = self._sweep(now, wall)
        held = self._holders.get(ask.owner)
        if held is not None:
            held.expires = now + ask.ttl
            return Grant(held.token), handed
        if not self._queue and self._fits(ask):
            return Grant(self._grant(ask, now, wall)), handed
        if ask.patience > 0:
            self._queue.setdefault(ask.owner, _Waiter(ask, 0.0)).until = now + ask.patience
        first = min((one.expires for one in self._holders.values()), default=now)
        return Busy(first - now, self._ahead(ask.owner)), handed

    def renew(self, owner: str, ttl: float, *, now: float) -> bool:
        """Lengthen a lease to `ttl` from now; False when it is not held any more."""
        held = self._holders.get(owner)
        if held is None or held.expires <= now:
            return False
        held.expires = now + ttl
        return True

    def release(self, owner: str, *, now: float, wall: float) -> tuple[bool, list[Handover]]:
        """Give the lock back, or leave the queue; tell whether it was held and who has it now."""
        held = self._holders.pop(owner, None)
        self._queue.pop(owner, None)
        return held is not None and held.expires > now, self._sweep(now, wall)

    def holdings(self, now: float) -> list[Holding]:
        """Return who holds it."""
        return [
            Holding(owner, held.token, held.expires - now, held.weight)
            for owner, held in self._holders.items()
            if held.expires > now
        ]

    def _sweep(self, now: float, wall: float) -> list[Handover]:
        """Let go who is gone, then serve the queue as far as it fits."""
        for owner in [one for one, held in self._holders.items() if held.expires <= now]:
            del self._holders[owner]
        for owner in [one for one, waiter in self._queue.items() if waiter.until <= now]:
            del self._queue[owner]
        handed = []
        while self._queue and self._fits((waiter := next(iter(self._queue.values()))).ask):
            del self._queue[waiter.ask.owner]
            handed.append(Handover(waiter.ask.owner, self._grant(waiter.ask, now, wall)))
        return handed

    def _fits(self, ask: Ask) -> bool:
        return sum(one.weight for one in self._holders.values()) + ask.weight <= ask.capacity

    def _grant(self, ask: Ask, now: float, wall: float) -> int:
        self.last_token = max(self.last_token + 1, int(wall * MICROSECONDS))
        self._holders[ask.owner] = _Holder(self.last_token, now + ask.ttl, ask.weight)
        return self.last_token

    def _ahead(self, owner: str) -> int:
        order = list(self._queue)
        return order.index(owner) if owner in self._queue else len(order)
