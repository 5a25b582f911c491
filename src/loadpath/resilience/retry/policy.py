"""Whether to repeat a call, and after which wait. Pure: time and chance are arguments.

Repeated is only what is safe: work that was refused before it was tried, or a call that its owner
says may happen twice. No wait reaches past the deadline, and none ends before the server asked to
be called again.

Source: Google SRE book, ch. 22 (retries with jitter and budgets); RFC 9110 §10.2.3 (Retry-After).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from random import Random

from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError

TRANSIENT = (RejectedError, InDoubtError, ConnectionError, TimeoutError)
"""Errors after which the same call may well succeed."""


class GiveUp(StrEnum):
    """Say why a call is not repeated.

    Attributes:
        LASTING: The error is none that a repetition helps against.
        UNSAFE: The call may have had effects, and nobody said that it may happen twice.
        TRIES: It was tried often enough.
        RETRY_AFTER: The server asked for a longer wait than is allowed.
        DEADLINE: The wait would end after the deadline.
        BUDGET: Too large a share of all calls is being repeated.
    """

    LASTING = "lasting"
    UNSAFE = "unsafe"
    TRIES = "tries"
    RETRY_AFTER = "retry_after"
    DEADLINE = "deadline"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Say how often and how soon a call is repeated.

    Attributes:
        tries: How often it is tried in all, the first time included.
        backoff: Waits between tries.
        longest_retry_after: Longest wait that a server may ask for (s); after a request for a
            longer one the call is given up, never repeated too early.
    """

    tries: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    longest_retry_after: float = 10.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1, the first included: {self.tries}")
        if not 0 <= self.longest_retry_after < inf:
            raise ValueError(
                f"longest_retry_after must be at least 0 s and finite: {self.longest_retry_after}"
            )

    def next_wait(
        self,
        tried: int,
        *,
        safe: bool,
        retry_after: float | None,
        remaining: float,
        random: Random,
        previous: float | None = None,
    ) -> float | GiveUp:
        """Return the wait before the next try (s), or why there is none.

        Args:
            tried: How often it was tried, at least 1.
            safe: Whether it may be repeated after what happened, see `is_safe`.
            retry_after: Wait that was asked for (s), None when none was.
            remaining: Seconds until the deadline.
            random: Where chance comes from.
            previous: The wait before the last try (s).
        """
        if not safe:
            return GiveUp.UNSAFE
        if tried >= self.tries:
            return GiveUp.TRIES
        asked = retry_after or 0.0
        if asked > self.longest_retry_after:
            return GiveUp.RETRY_AFTER
        # Those who were all told the same moment must not come back together either.
        wait = asked + self.backoff.delay(tried, random, previous=previous)
        return wait if wait < remaining else GiveUp.DEADLINE


def is_safe(error: BaseException | None, *, idempotent: bool) -> bool:
    """Return whether a call that ended so may be repeated.

    Args:
        error: What it raised; None when it returned a result that is called a failure.
        idempotent: Whether its owner says that it may happen twice.
    """
    return idempotent or isinstance(error, RejectedError)


def asked_wait(outcome: object) -> float | None:
    """Return the `retry_after` (s) of an error or a result that has a usable one."""
    asked = getattr(outcome, "retry_after", None)
    if isinstance(asked, int | float) and asked >= 0:
        return float(asked)
    return None
