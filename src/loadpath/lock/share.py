"""How much of a lock is taken: all of it, one of some permits, a reader's part or a writer's."""

from typing import NamedTuple


class Share(NamedTuple):
    """Say how much of a lock is taken.

    Attributes:
        weight: What is taken.
        capacity: What there is; one number for every holder of a key.
    """

    weight: int
    capacity: int


READERS = 1_000_000
"""Most readers at once."""

ALONE = Share(1, 1)
READ = Share(1, READERS)
WRITE = Share(READERS, READERS)
