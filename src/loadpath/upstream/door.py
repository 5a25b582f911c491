"""One endpoint as calls meet it: where it is, its breaker, and what it failed at last."""

from loadpath.balance import Endpoint
from loadpath.core.ports import Events
from loadpath.http import Origin
from loadpath.resilience import BreakerMachine, BreakerPolicy


class Door:
    """Hold what calls need to know about one endpoint.

    Attributes:
        address: `host:port`.
        endpoint: The endpoint, as the current set has it.
        origin: Whom the HTTP pool connects to.
        breaker: Decides whether it may be called, None for always.
        attempts: Attempts under way.
        reason: Why the last attempt that failed did, empty before.
        gone: Whether it left the set.
    """

    __slots__ = ("address", "attempts", "breaker", "endpoint", "gone", "origin", "reason")

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        origin: Origin,
        breaker: BreakerPolicy | None,
        events: Events | None,
    ) -> None:
        self.address = endpoint.address
        self.endpoint = endpoint
        self.origin = origin
        self.breaker = (
            None if breaker is None else BreakerMachine(self.address, breaker, events=events)
        )
        self.attempts = 0
        self.reason = ""
        self.gone = False

    def would_pass(self, now: float) -> bool:
        """Return whether its breaker is worth asking at `now` (s)."""
        return self.breaker is None or self.breaker.would_pass(now)
