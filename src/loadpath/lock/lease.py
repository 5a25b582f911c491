"""What a holder may believe: free, acquiring, held, lost or released, by its own clock alone.

A lease is counted from before the request left, so that whatever the network and the store did
meanwhile, the store's lease ends later than ours. A slack for clocks that run at different speeds
comes off.

Source: C. Gray, D. Cheriton, "Leases", SOSP 1989.
"""

from typing import Literal

import msgspec

State = Literal["free", "acquiring", "held", "lost", "released"]
DRIFT = 0.01
"""How much faster the store's clock may run than ours (share of the ttl)."""
RENEW_AFTER = 1 / 3
"""When a lease is renewed (share of the ttl): two more tries fit before it ends."""

_SURE = 1 - DRIFT
_MAY_ASK = ("free", "acquiring")


class Lease(msgspec.Struct, gc=False):
    """Follow one lease; every moment is of the holder's monotonic clock (s).

    Attributes:
        ttl: How long a grant or renewal lasts (s).
        state: Where it stands.
        token: Its fencing token, 0 before the grant.
        asked: When the request left that the lease counts from.
        expires: Until when it is guaranteed.
    """

    ttl: float
    state: State = "free"
    token: int = 0
    asked: float = 0.0
    expires: float = 0.0

    def __post_init__(self) -> None:
        if not self.ttl > 0:
            raise ValueError(f"ttl must be above 0 s, not {self.ttl}")

    def ask(self, now: float) -> None:
        """Note that a request leaves."""
        if self.state not in _MAY_ASK:
            raise RuntimeError(f"a lease that is {self.state} cannot be asked for: make a new one")
        self.state = "acquiring"
        self.asked = now

    def refuse(self) -> None:
        """Note that the store knows nothing of what was asked."""
        if self.state == "acquiring":
            self.state = "free"

    def grant(self, token: int, now: float) -> None:
        """Note that the store granted what was asked; it may be over already."""
        if self.state != "acquiring":
            raise RuntimeError(f"a lease that is {self.state} cannot be granted: ask first")
        self.token = token
        self.expires = self.asked + self.ttl * _SURE
        self.state = "held" if now < self.expires else "lost"

    def change(self, ttl: float, now: float) -> None:
        """Note that a renewal with another ttl leaves: until its answer the shorter one counts."""
        self.ttl = ttl
        self.expires = min(self.expires, now + ttl * _SURE)

    def renew(self, asked: float, now: float) -> None:
        """Note a renewal that left at `asked` and succeeded; the one that left last counts."""
        if self.check(now) and asked >= self.asked:
            self.asked = asked
            self.expires = asked + self.ttl * _SURE

    def check(self, now: float) -> bool:
        """Return whether it is held at `now`; it is lost for good once it is over."""
        if self.state == "held" and now >= self.expires:
            self.state = "lost"
        return self.state == "held"

    def lose(self) -> None:
        """Note that the store does not know the lease any more."""
        if self.state == "held":
            self.state = "lost"

    def release(self, now: float) -> bool:
        """Note that the holder lets go, and return whether it held until now."""
        if self.state == "held" and now < self.expires:
            self.state = "released"
            return True
        self.state = "lost" if self.state in ("held", "lost") else "released"
        return False

    @property
    def renew_at(self) -> float:
        """When the next renewal is due."""
        return self.asked + self.ttl * RENEW_AFTER

    def remaining(self, now: float) -> float:
        """Return how long it is still guaranteed (s), 0 when it is not."""
        return max(0.0, self.expires - now) if self.check(now) else 0.0
