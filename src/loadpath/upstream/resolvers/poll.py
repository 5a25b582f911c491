"""Look again and again, or at a notice: what all resolvers have in common that ask somebody."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from math import inf
from typing import Any

from loadpath.balance import EndpointSet
from loadpath.upstream.errors import ResolveError
from loadpath.upstream.resolvers.notices import Listen, Notices
from loadpath.upstream.resolvers.resolver import Stream

Found = tuple[EndpointSet, float]
"""The set of this moment, and the seconds after which it is worth looking again."""

Look = Callable[[], Coroutine[Any, Any, Found]]

RETRY = 5.0
"""Longest wait after a look that failed where notices make looks rare (s)."""

LONGEST_LOOK = 10.0
"""Longest that a look may take (s)."""


async def poll(source: str, look: Look, *, retry: float, listen: Listen | None = None) -> Stream:
    """Give every set that differs from the one before, and every reason why there is none.

    Args:
        source: Where the endpoints are looked for, for the error.
        look: Reads them; what it raises is a reason, an empty set is one too.
        retry: Wait after a look that failed (s).
        listen: Makes the next look come at once when something changed; None for nobody.
    """
    async with (
        Notices(listen, retry=retry) as notices,
        aclosing(_looking(source, look, notices, retry=retry)) as stream,
    ):
        async for found in stream:
            yield found


async def _looking(source: str, look: Look, notices: Notices, *, retry: float) -> Stream:
    known: EndpointSet | None = None
    while True:
        wait = retry
        if (deaf := notices.failure()) is not None:
            known = None
            yield _refusal(f"{source} is looked at every {retry:g} s only, nobody listens", deaf)
        try:
            found, after = await _looked(look)
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
        await notices.wait(wait)


async def _looked(look: Look) -> Found:
    """Return what a look finds, in a task of its own.

    A driver may lose a cancellation (`asyncio.wait_for` does, before Python 3.12, when the answer
    comes in the same moment). So we wait for its task, and not inside it.
    """
    task = asyncio.create_task(look())
    try:
        await asyncio.wait([task], timeout=LONGEST_LOOK)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if not task.done():
        await _end(task)
        raise TimeoutError(f"nothing came within {LONGEST_LOOK:g} s")
    return task.result()


async def _end(task: "asyncio.Task[Found]") -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # it is seen, or asyncio would report it as forgotten


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
