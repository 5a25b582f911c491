"""Waits of nginx, in the range that a gateway has."""

from typing import Final

from loadpath.export.reading.notes import Notes
from loadpath.export.reading.tree import Directive
from loadpath.export.reading.values import seconds

DAY: Final = 86_400.0


def read_wait(at: Directive, text: str, notes: Notes) -> float | None:
    """Return a wait (s), None when it is none above 0."""
    found = seconds(text)
    if not found:
        notes.add(at, "not understood", "it is no time above 0")
        return None
    if found > DAY:
        notes.add(at, "differs", "a wait is at most a day here")
    return min(found, DAY)
