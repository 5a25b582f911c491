"""An endpoint inside a balancer: what it is, plus the live figures that policies decide by.

A member outlives the set it came with: it is kept by every swap that keeps its address.
"""

from math import inf

from loadpath.balance.endpoint import Endpoint
from loadpath.balance.health import Health, HealthRules
from loadpath.balance.outlier import Track
from loadpath.core.ewma import PeakEwma


class Tally:
    """Count the calls in flight of members that share a bound."""

    __slots__ = ("active",)

    def __init__(self, active: int = 0) -> None:
        self.active = active


class Member:
    """Hold one endpoint's live figures.

    Attributes:
        endpoint: The endpoint, replaced when a swap changes its weight, zone or priority.
        weight: Its weight, where the hot path finds it.
        active: Calls in flight.
        tally: The calls in flight of the whole level that it is in.
        latency: Peak-EWMA of its answers, failures at their penalty (s).
        health: What active checks say.
        track: What real traffic says.
        drained: Whether an operator took it out.
        ready: Whether its level hands it out now: available, or its level is in panic.
        warm_from: When it joined or came back (monotonic s).
        warm_until: When its slow start ends, -inf when it is warm.
        successes: Calls that succeeded, ever.
        failures: Calls that failed, ever.
    """

    __slots__ = (
        "active",
        "drained",
        "endpoint",
        "failures",
        "health",
        "latency",
        "ready",
        "successes",
        "tally",
        "track",
        "warm_from",
        "warm_until",
        "weight",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        health: HealthRules | None = None,
        decay: float = 10.0,
    ) -> None:
        self.endpoint = endpoint
        self.weight = endpoint.weight
        self.active = 0
        self.tally = Tally()
        self.latency = PeakEwma(decay)
        self.health = Health(health or HealthRules())
        self.track = Track()
        self.drained = False
        self.ready = True
        self.warm_from = -inf
        self.warm_until = -inf
        self.successes = 0
        self.failures = 0

    @property
    def available(self) -> bool:
        """Whether checks, traffic and the operator all let it serve."""
        return self.health.up and not self.track.ejected and not self.drained

    def become(self, endpoint: Endpoint) -> None:
        """Take over what a new set says about this address."""
        self.endpoint = endpoint
        self.weight = endpoint.weight

    def __repr__(self) -> str:
        return f"Member({self.endpoint.address}, active={self.active}, ready={self.ready})"
