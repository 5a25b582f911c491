"""From a queue of writes to what a database must be told: of each key the last one, in order."""

from collections.abc import Sequence
from typing import Any, NamedTuple

SEQUENCES = 20
"""Bits of a version that number the writes of one millisecond."""


class Write(NamedTuple):
    """Hold one write to be applied.

    Attributes:
        key: The key.
        value: The value.
        version: Grows with every write of the queue: apply `WHERE version < this`, and a write
            that is applied again, or late, changes nothing.
    """

    key: str
    value: Any
    version: int


def version_of(id_: bytes) -> int:
    """Return the version that a stream's id stands for; ids in order give versions in order."""
    milliseconds, _, sequence = id_.partition(b"-")
    return (int(milliseconds) << SEQUENCES) + int(sequence)


def coalesced(writes: Sequence[Write]) -> list[Write]:
    """Return the last write of each key, in the order in which those were made."""
    last = {write.key: write for write in writes}
    return sorted(last.values(), key=lambda write: write.version)
