"""What a checker answers: valid, invalid or unknown, and why in words."""

from collections.abc import Iterable
from typing import Any

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one thing that is wrong, or worth knowing.

    Attributes:
        name: The field's name for it.
        words: What happened, for people.
        operations: Indexes of the invocations that it is about.
        forbidden: Whether it makes the history invalid.
    """

    name: str
    words: str
    operations: tuple[int, ...] = ()
    forbidden: bool = True


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a checker found.

    Attributes:
        checker: Its name.
        valid: None when nobody knows.
        calls: How many calls were judged.
        findings: What is wrong, and what is worth knowing.
        reason: Why it is unknown.
        figures: What was measured on the way.
    """

    checker: str
    valid: bool | None
    calls: int
    findings: tuple[Finding, ...] = ()
    reason: str | None = None
    figures: dict[str, Any] = {}

    @property
    def word(self) -> str:
        """Return the verdict as a word."""
        return {True: "valid", False: "invalid", None: "unknown"}[self.valid]


def judged(
    checker: str,
    calls: int,
    findings: Iterable[Finding],
    *,
    figures: dict[str, Any] | None = None,
    unknown: str | None = None,
) -> Verdict:
    """Return the verdict on findings: a forbidden one makes it invalid whatever is unknown."""
    found = tuple(findings)
    wrong = any(each.forbidden for each in found)
    return Verdict(
        checker=checker,
        valid=False if wrong else None if unknown else True,
        calls=calls,
        findings=found,
        reason=None if wrong else unknown,
        figures=figures or {},
    )
