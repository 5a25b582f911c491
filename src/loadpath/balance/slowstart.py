"""Slow start: an endpoint that joined or came back gets its share little by little.

Works around any policy: what it picks is kept with a probability that grows with time, else the
next best is taken. Affinity by hash or cookie of the rest is not touched.

Source: Envoy's slow start (window, aggression, minimum weight).
"""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowStart:
    """Say how fast a share grows.

    Attributes:
        window: Time until the whole share (s).
        aggression: 1 grows in a straight line, more grows faster at first, less slower.
        minimum: Share that the first moment has (0-1).
    """

    window: float = 30.0
    aggression: float = 1.0
    minimum: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.window < inf:
            raise ValueError(f"window must be above 0 s and finite, not {self.window}")
        if not 0 < self.aggression < inf:
            raise ValueError(f"aggression must be above 0 and finite, not {self.aggression}")
        if not 0 < self.minimum <= 1:
            raise ValueError(f"minimum must be above 0, at most 1, not {self.minimum}")

    def factor(self, elapsed: float) -> float:
        """Return the share after `elapsed` seconds (0-1)."""
        grown: float = max(0.0, elapsed / self.window) ** (1 / self.aggression)
        return min(1.0, max(self.minimum, grown))
