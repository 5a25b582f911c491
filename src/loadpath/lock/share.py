"""How much of a lock is taken: all of it, one of some permits, or a reader's part."""

from typing import NamedTuple


class Share(NamedTuple):
    """Say how much of a lock is taken.

    Attributes:
        weight: What is taken.
        capacity: What there is.
    """

    weight: int
    capacity: int


ALONE = Share(1, 1)
