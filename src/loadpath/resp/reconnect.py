"""When to connect again: at once after a healthy connection, ever later after failures.

A server that accepts and hangs up at once would be asked without pause if each loss were followed
by a try; so a connection that did not last counts as a failure.
"""

from random import Random

from loadpath.core.backoff import Backoff

LASTED = 1.0
"""Seconds after which a connection counts as healthy."""


class Reconnect:
    """Give the delay before the next try.

    Args:
        backoff: Delays after failures in a row.
        random: Where their jitter comes from.
    """

    __slots__ = ("_backoff", "_failures", "_random", "_since")

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random
        self._failures = 0
        self._since = 0.0

    def on_connected(self, now: float) -> None:
        """Learn that a connection is ready at `now` (s)."""
        self._since = now

    def on_failed(self) -> float:
        """Return the delay after a try that failed (s)."""
        self._failures += 1
        return self._backoff.delay(self._failures, self._random)

    def on_lost(self, now: float) -> float:
        """Return the delay after a connection that was lost at `now` (s), 0 if it was healthy."""
        if now - self._since < LASTED:
            return self.on_failed()
        self._failures = 0
        return 0.0
