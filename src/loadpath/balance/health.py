"""What active checks say about one endpoint: down after `fall` failures, up after `rise` answers.

Guide: chapter 3, `failureThreshold` and `recoveryThreshold`; the guide never reads the second.

Source: HAProxy's `fall` and `rise`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """Say how many checks in a row decide.

    Attributes:
        fall: Failed checks until an endpoint is down.
        rise: Good checks until it is up again.
    """

    fall: int = 3
    rise: int = 2

    def __post_init__(self) -> None:
        if self.fall < 1 or self.rise < 1:
            raise ValueError(f"fall and rise must be at least 1: {self}")


class Health:
    """Follow one endpoint's checks; it starts up.

    Attributes:
        up: Whether checks let it serve.
        failures: Failed checks in a row.
        checked: When the last check ended (monotonic s), None before the first.
        reason: Why the last check failed, empty when it did not.
    """

    __slots__ = ("_rules", "_streak", "checked", "failures", "reason", "up")

    def __init__(self, rules: HealthRules) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Start anew: up, nothing known."""
        self.up = True
        self.failures = 0
        self.checked: float | None = None
        self.reason = ""
        self._streak = 0

    def on_check(self, reason: str, now: float) -> bool:
        """Learn how a check went.

        Args:
            reason: Why it failed, empty when it succeeded.
            now: When it ended (monotonic s).

        Returns:
            Whether `up` changed.
        """
        self.checked = now
        self.reason = reason
        self.failures = self.failures + 1 if reason else 0
        if bool(reason) != self.up:
            self._streak = 0
            return False
        self._streak += 1
        if self._streak < (self._rules.fall if self.up else self._rules.rise):
            return False
        self._streak = 0
        self.up = not self.up
        return True
