"""Look again and again: what all resolvers have in common that nobody notifies."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from loadpath.balance import EndpointSet
from loadpath.upstream.errors import ResolveError
from loadpath.upstream.resolvers.resolver import Stream

Look = Callable[[], Awaitable[tuple[EndpointSet, float]]]
"""Returns the set of this moment and the seconds after which it is worth looking again."""

LONGEST_LOOK = 10.0
"""Longest that a look may take (s)."""


async def poll(source: str, look: Look, *, retry: float) -> Stream:
    """Give every set that differs from the one before, and every reason why there is none.

    Args:
        source: Where the endpoints are looked for, for the error.
        look: Reads them; what it raises is a reason, an empty set is one too.
        retry: Wait after a look that failed (s).
    """
    known: EndpointSet | None = None
    while True:
        wait = retry
        try:
            async with asyncio.timeout(LONGEST_LOOK):
                found, after = await look()
        except Exception as error:  # noqa: BLE001 - whatever a driver raises, nothing was found
            known = None
            yield _refusal(source, error)
        else:
            if not found:
                known = None
                yield ResolveError(f"{source} names no endpoints: the last ones stay")
            else:
                wait = after
                if found != known:
                    known = found
                    yield found
        await asyncio.sleep(wait)


def checked_wait(name: str, seconds: float) -> float:
    """Return a wait as it is.

    Raises:
        ValueError: It is not above 0 s and finite.
    """
    if not 0 < seconds < inf:
        raise ValueError(f"{name} must be above 0 s and finite, not {seconds}")
    return seconds


def _refusal(source: str, error: Exception) -> ResolveError:
    refusal = ResolveError(f"{source}: {str(error) or type(error).__name__}")
    refusal.__cause__ = error
    return refusal
