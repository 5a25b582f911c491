"""What calls teach a balancer: latency for the policies, failures for the outlier detector."""

from dataclasses import dataclass
from math import inf

from loadpath.balance.member import Member
from loadpath.balance.outlier import Failure, OutlierDetector, known_failure
from loadpath.core.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRules:
    """Say what a latency means to the policies.

    Attributes:
        decay: Time in which a peak falls to 1/e (s).
        failure_penalty: What a failed call counts as, however quick it was (s).
    """

    decay: float = 10.0
    failure_penalty: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.decay < inf:
            raise ValueError(f"decay must be above 0 s and finite, not {self.decay}")
        if not 0 <= self.failure_penalty < inf:
            raise ValueError(f"failure_penalty must be at least 0 s: {self.failure_penalty}")


class Ledger:
    """Book how calls went.

    Attributes:
        due: When the balancer must look again before it picks (monotonic s); -inf for at once.
    """

    __slots__ = ("_detector", "_now", "_penalty", "due")

    def __init__(
        self, clock: Clock, detector: OutlierDetector | None, *, failure_penalty: float
    ) -> None:
        self._now = clock.monotonic
        self._detector = detector
        self._penalty = failure_penalty
        self.due = -inf

    def succeeded(self, member: Member, latency: float | None, started: float) -> None:
        """Book an answer."""
        now = self._now()
        member.latency.update(_took(latency, started, now), now)
        member.successes += 1
        if self._detector is not None:
            self._detector.on_success(member.track)

    def failed(
        self, member: Member, failure: Failure, latency: float | None, started: float
    ) -> None:
        """Book a failure; it may eject the endpoint."""
        known_failure(failure)
        now = self._now()
        member.latency.update(max(_took(latency, started, now), self._penalty), now)
        member.failures += 1
        if self._detector is not None and self._detector.on_failure(member.track, failure, now):
            self.due = -inf


def _took(latency: float | None, started: float, now: float) -> float:
    if latency is None:
        return max(0.0, now - started)
    if not 0 <= latency < inf:
        raise ValueError(f"latency must be at least 0 s and finite, not {latency}")
    return latency
