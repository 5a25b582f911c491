"""How long a lock is kept, how long it is waited for, and how often it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random

from loadpath.core.backoff import Backoff

QUEUE_ASKS = 6
"""Questions of a waiter that would hear of its grant, per ttl: a safety net."""
PATIENCE = 3
"""Questions that a waiter may miss before it loses its place."""
_SHORTEST_TTL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """Say how a lock is kept and waited for.

    Attributes:
        ttl: Seconds until the lock is free again when its holder is gone.
        wait: Seconds to wait for it; 0 to try once, None for as long as `retries` take.
        retries: Tries after the first one, which with their delays make up the wait.
        retry_delay: Delay before the second try (s); doubles from try to try.
        retry_cap: Longest delay (s).
        jitter: How much a delay varies, up and down (share).
        longest_wait: How long to wait in all (s).
        ask_every: How often a waiter asks that would hear of its grant (s).
        patience: How long the store keeps the place of a waiter that does not ask (s).
    """

    ttl: float = 30.0
    wait: float | None = None
    retries: int = 10
    retry_delay: float = 0.1
    retry_cap: float = 1.0
    jitter: float = 0.25
    longest_wait: float = field(init=False, repr=False)
    ask_every: float = field(init=False, repr=False)
    patience: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _SHORTEST_TTL <= self.ttl < inf:
            raise ValueError(f"ttl must be at least {_SHORTEST_TTL} s and finite, not {self.ttl}")
        if self.wait is not None and not self.wait >= 0:
            raise ValueError(f"wait must be at least 0 s, not {self.wait}")
        if self.retries < 0:
            raise ValueError(f"retries must be at least 0, not {self.retries}")
        if not 0 < self.retry_delay <= self.retry_cap < inf:
            raise ValueError(
                f"retry_delay must be above 0 s, retry_cap at least that and finite: {self}"
            )
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be at least 0 and below 1, not {self.jitter}")
        derive = object.__setattr__
        derive(self, "longest_wait", self._retries_take() if self.wait is None else self.wait)
        derive(self, "ask_every", self.ttl / QUEUE_ASKS)
        derive(self, "patience", PATIENCE * max(self.ask_every, self.retry_cap))

    def delays(self, random: Random) -> Iterator[float]:
        """Return the delays between tries, without end (s)."""
        steps = self._steps()
        attempt = 0
        while True:
            attempt += 1
            spread = random.uniform(1 - self.jitter, 1 + self.jitter)
            yield min(steps.step(attempt) * spread, self.retry_cap)

    def _retries_take(self) -> float:
        steps = self._steps()
        return sum(steps.step(attempt) for attempt in range(1, self.retries + 1))

    def _steps(self) -> Backoff:
        return Backoff(base=self.retry_delay, cap=self.retry_cap, jitter="none")
