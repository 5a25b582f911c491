"""The guide's CircuitBreaker in Python, statement by statement.

Guide: chapter 1, microservice patterns. Kept as it is there: failures in a row are counted, the
first call after the timeout makes it half open and every other call passes as well, one success
closes it. `Date.now()` is handed in, so that a scenario can let time pass.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class OpenError(Exception):
    """Stand in for `new Error('Circuit breaker is OPEN')`."""


class CircuitBreaker:
    """Render the guide's class."""

    def __init__(
        self, date_now: Callable[[], float], threshold: int = 5, timeout: float = 60_000
    ) -> None:
        self.date_now = date_now
        self.failure_threshold = threshold
        self.timeout = timeout
        self.failure_count = 0
        self.last_failure_time: float = 0
        self.state = "CLOSED"  # CLOSED, OPEN, HALF_OPEN

    async def execute(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run an operation unless the breaker is open."""
        if self.state == "OPEN":
            if self.date_now() - self.last_failure_time > self.timeout:
                self.state = "HALF_OPEN"
            else:
                raise OpenError("Circuit breaker is OPEN")
        try:
            result = await operation()
            self.on_success()
        except Exception:
            self.on_failure()
            raise
        return result

    def on_success(self) -> None:
        """Close."""
        self.failure_count = 0
        self.state = "CLOSED"

    def on_failure(self) -> None:
        """Count, and open at the threshold."""
        self.failure_count += 1
        self.last_failure_time = self.date_now()
        if self.failure_count >= self.failure_threshold:
            self.state = "OPEN"
