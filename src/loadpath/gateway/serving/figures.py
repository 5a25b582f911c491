"""What is counted while requests pass: plain integers, added up over workers when asked. Pure."""

from bisect import bisect_left

import msgspec

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of durations (s), as Prometheus' clients have them."""


class RouteFigures(msgspec.Struct):
    """Count one route's requests.

    Attributes:
        statuses: Answers by status.
        buckets: Requests by duration, one more than there are bounds.
        seconds: Durations together (s).
        sent: Bytes of bodies sent to clients.
        under_way: Requests that are not answered yet.
        mirrored: Copies that were sent.
        mirrors_dropped: Copies that were not, because too many were under way or one was too large.
    """

    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    sent: int = 0
    under_way: int = 0
    mirrored: int = 0
    mirrors_dropped: int = 0

    def count(self, status: int, seconds: float, sent: int) -> None:
        """Count a request that has ended."""
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        self.sent += sent

    def add(self, other: "RouteFigures") -> None:
        """Add what another worker counted."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds
        self.sent += other.sent
        self.under_way += other.under_way
        self.mirrored += other.mirrored
        self.mirrors_dropped += other.mirrors_dropped
