"""Where writes wait until the database has them: what a queue does for write-behind."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from loadpath.cache.coalesce import Write
from loadpath.cache.multilayer import MultiLayerCache


class Queued(NamedTuple):
    """Hold a write that waits.

    Attributes:
        id: What the queue calls it.
        write: The write.
    """

    id: Any
    write: Write


class WriteQueue(Protocol):
    """Keep writes durably, those of a key in the order in which they were made."""

    async def put(self, cache: MultiLayerCache, key: str, value: Any) -> int:
        """Keep a write, let the cache hold it, and return its version.

        Raises:
            TooManyWritesError: The queue is full; nothing was written.
            NotStorableError: The value cannot be sent.
        """
        ...

    async def own(self, token: str, *, lease: float) -> bool:
        """Ask to be the one that applies, for `lease` seconds; 0 gives it up."""
        ...

    async def oldest(self, count: int) -> Sequence[Queued]:
        """Return the writes that have waited longest."""
        ...

    async def done(self, cache: MultiLayerCache, found: Sequence[Queued]) -> None:
        """Remove writes that the database has."""
        ...

    async def bury(self, cache: MultiLayerCache, one: Queued, why: str) -> None:
        """Make a write a dead letter.

        Raises:
            TooManyWritesError: There are as many dead letters as there may be.
        """
        ...

    async def length(self) -> int:
        """Return how many writes wait."""
        ...

    async def dead_letters(self, count: int) -> list[tuple[Write, str]]:
        """Return the oldest dead letters, each with the reason."""
        ...

    async def forget_dead_letters(self) -> None:
        """Remove every dead letter."""
        ...


def checked_limits(max_queued: int, max_dead: int) -> tuple[int, int]:
    """Return the limits of a queue.

    Raises:
        ValueError: One is not at least 1.
    """
    if min(max_queued, max_dead) < 1:
        raise ValueError(
            f"max_queued and max_dead must be at least 1, not {max_queued}, {max_dead}"
        )
    return max_queued, max_dead
