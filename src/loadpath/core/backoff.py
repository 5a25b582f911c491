"""How long to wait before trying again: exponential, capped, spread by jitter.

Callers that failed together must not come back together, so the wait is drawn at random. Nothing
here waits: a delay is a number, and the random source is handed in, so a seed repeats it.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

Jitter = Literal["none", "full", "equal", "decorrelated"]
"""How a delay is drawn.

- `none`: the whole exponential step; callers stay in step with each other.
- `full`: anywhere from 0 to the step; spreads most, the usual choice.
- `equal`: half the step for sure, the other half drawn; never returns at once.
- `decorrelated`: from `base` to three times the delay before it; forgets the attempt number.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Give the delay before each retry.

    Attributes:
        base: Step before the first retry (s).
        cap: No delay is longer (s).
        factor: What each step multiplies the one before it by.
        jitter: How a delay is drawn within its step.
    """

    base: float = 0.1
    cap: float = 30.0
    factor: float = 2.0
    jitter: Jitter = "full"

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap < math.inf:
            raise ValueError(f"base must be above 0 s, cap at least base and finite: {self}")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor must be at least 1 and finite, not {self.factor}")
        if self.jitter not in get_args(Jitter):
            raise ValueError(f"jitter must be one of {get_args(Jitter)}, not {self.jitter!r}")

    def step(self, attempt: int) -> float:
        """Return the longest delay after `attempt` failed tries, at most `cap` (s).

        Args:
            attempt: 1 for the delay before the first retry; any size, nothing overflows.

        Raises:
            ValueError: `attempt` is below 1.
        """
        if attempt < 1:
            raise ValueError(f"attempt must be at least 1, not {attempt}")
        try:
            return min(self.cap, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            return self.cap

    def delay(self, attempt: int, random: Random, *, previous: float | None = None) -> float:
        """Return the delay after `attempt` failed tries (s).

        Args:
            attempt: 1 for the delay before the first retry.
            random: Where chance comes from; a seeded one repeats its delays.
            previous: The delay before this one, which only `decorrelated` looks at (s).

        Raises:
            ValueError: `attempt` is below 1.
        """
        step = self.step(attempt)
        match self.jitter:
            case "none":
                return step
            case "full":
                return random.uniform(0, step)
            case "equal":
                return random.uniform(step / 2, step)
            case "decorrelated":
                longest = min(self.cap, 3 * max(self.base, previous or 0.0))
                return random.uniform(self.base, longest)

    def delays(self, random: Random) -> Iterator[float]:
        """Return the delays before the first retry, the second, and so on without end (s)."""
        previous = None
        attempt = 0
        while True:
            attempt += 1
            previous = self.delay(attempt, random, previous=previous)
            yield previous
