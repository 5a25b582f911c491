"""What holders did, and whether two of them ever wrote at the same time.

A history is a list of writes in the order in which the resource saw them, each with the token of
its writer and whether the resource took it. Two holders have both written when a write was taken
after that of a newer holder: the older one had not noticed that it was succeeded.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Write:
    """Hold one write.

    Attributes:
        token: Fencing token of the writer.
        taken: Whether the resource took it.
    """

    token: int
    taken: bool


def intruders(history: list[Write]) -> list[Write]:
    """Return the writes that were taken although a newer holder had written."""
    newest, found = 0, []
    for write in history:
        if write.taken and write.token < newest:
            found.append(write)
        if write.taken:
            newest = max(newest, write.token)
    return found


def without_fencing(history: list[Write]) -> list[Write]:
    """Return the same history on a resource that takes every write, as the guide's does."""
    return [replace(write, taken=True) for write in history]
