"""Rate limiting by the generic cell rate algorithm (GCRA). Pure: time is an argument.

One float per key says when the next request would be on schedule; a request may come `burst - 1`
intervals early, no earlier. There are no windows at whose border twice the rate slips through, and
nothing to clean up: a key whose schedule lies in the past is a new one.

Source: ITU-T I.371, "virtual scheduling algorithm".
"""

from dataclasses import dataclass, field
from math import inf

from loadpath.core.errors import RejectedError

NEW = -inf
"""The schedule of a key that was never seen."""

_HAIR = 1e-6
"""Seconds that a request may be early for floats' sake."""


class RateLimited(RejectedError, RuntimeError):
    """Refuse a request that came too early; nothing was tried.

    Attributes:
        retry_after: Seconds until the same request would be admitted.
    """

    retry_after: float

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            f"rate limit reached; retry in {retry_after:.3f} s", retry_after=retry_after
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Allow `limit` requests per `period`, `burst` of them at once.

    Attributes:
        limit: Requests in a period, at least 1.
        period: Its length (s).
        burst: Requests that may come at once after a rest, at least 1.
        interval: Seconds between two requests on schedule.
    """

    limit: int
    period: float = 1.0
    burst: int = 1
    interval: float = field(init=False)

    def __post_init__(self) -> None:
        if self.limit < 1 or self.burst < 1 or not 0 < self.period < inf:
            raise ValueError(
                "limit and burst must be at least 1, period above 0 s and finite, not "
                f"{self.limit}, {self.burst}, {self.period}"
            )
        object.__setattr__(self, "interval", self.period / self.limit)


def admit(rate: Rate, scheduled: float, now: float) -> float:
    """Return the next scheduled time if a request at `now` is admitted.

    Args:
        rate: The allowance.
        scheduled: What the last admitted request returned, `NEW` for a new key (s).
        now: Time of this request (s).

    Raises:
        RateLimited: The request is more than `burst - 1` intervals early.
    """
    interval, burst = rate.interval, rate.burst
    if scheduled > now + (burst + 1) * interval:
        scheduled = now + burst * interval  # the clock stepped back: wait as after a full burst
    due = max(now, scheduled)
    early = due - now - (burst - 1) * interval
    if early > _HAIR:
        raise RateLimited(early)
    return due + interval
