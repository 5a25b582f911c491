"""A bulkhead's place that is held for longer than one block: until the answer's body is whole."""

import asyncio
from contextlib import suppress
from math import inf

from loadpath.resilience import Bulkhead, DeadlinePassed


class Place:
    """Hold a place of a bulkhead until it is left, exactly once; made by `take_place`."""

    __slots__ = ("_bulkhead",)

    def __init__(self, bulkhead: Bulkhead) -> None:
        self._bulkhead: Bulkhead | None = bulkhead

    def leave(self) -> None:
        """Give the place back; a second time does nothing."""
        bulkhead, self._bulkhead = self._bulkhead, None
        if bulkhead is not None:
            # Leaving never waits, so its coroutine ends at its first step, also in a finalizer.
            with suppress(StopIteration):
                bulkhead.__aexit__(None, None, None).send(None)


async def take_place(bulkhead: Bulkhead, until: float) -> Place:
    """Return a place, after a wait in line if need be.

    Args:
        bulkhead: Whose.
        until: When it is too late (monotonic s).

    Raises:
        BulkheadFull: Too many run and too many wait.
        DeadlinePassed: The wait took too long.
    """
    try:
        async with asyncio.timeout_at(until if until < inf else None):
            await bulkhead.__aenter__()
    except TimeoutError:
        raise DeadlinePassed from None
    return Place(bulkhead)
