"""A bulkhead's place that is held for longer than one block: until the answer's body is whole."""

import asyncio
from math import inf

from loadpath.resilience import Bulkhead, DeadlinePassed, Place


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
            return await bulkhead.acquire()
    except TimeoutError:
        raise DeadlinePassed from None
