"""Looking again and again: changes and reasons are given, and a driver cannot keep us."""

import asyncio
from contextlib import aclosing

import pytest

from loadpath.balance import EndpointSet
from loadpath.upstream import ResolveError
from loadpath.upstream.resolvers import poll as module
from loadpath.upstream.resolvers.poll import Found, checked_wait, poll

A, B = EndpointSet(["a:1"]), EndpointSet(["b:1"])


async def given_of(*looks: EndpointSet | Exception, count: int) -> list[object]:
    """Return the first things that are given when looks go so."""
    left = iter(looks)

    async def look() -> Found:
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found, 1e-6

    given: list[object] = []
    async with aclosing(poll("here", look, retry=1e-6)) as stream:
        async for found in stream:
            given.append(found)
            if len(given) == count:
                break
    return given


async def test_only_changes_are_given() -> None:
    """Equal sets are no news."""
    assert await given_of(A, A, A, B, B, A, count=3) == [A, B, A]


async def test_reasons_are_given_and_the_set_again_after_them() -> None:
    """After a reason the set comes again, also when it is the same as before."""
    first, reason, again = await given_of(A, OSError("gone"), A, count=3)
    assert (first, again) == (A, A)
    assert isinstance(reason, ResolveError)
    assert str(reason) == "here: gone"
    assert isinstance(reason.__cause__, OSError)


async def test_an_empty_set_is_a_reason() -> None:
    """Nobody is led nowhere because a table was emptied."""
    _, reason = await given_of(A, EndpointSet(), count=2)
    assert isinstance(reason, ResolveError)


async def test_a_look_that_never_ends_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs is told, and asked again."""
    monkeypatch.setattr(module, "LONGEST_LOOK", 0.01)
    ended = 0

    async def look() -> Found:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        return A, 1.0

    async with aclosing(poll("here", look, retry=1e-6)) as stream:
        assert "nothing came" in str(await anext(stream))
        assert "nothing came" in str(await anext(stream))
    assert ended == 2


async def test_a_driver_that_loses_a_cancellation_does_not_keep_us() -> None:
    """Whoever stops is gone when the look has ended, however it took the cancellation."""
    begun = asyncio.Event()

    async def look() -> Found:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # as `asyncio.wait_for` did
        return A, 1.0

    stream = poll("here", look, retry=1.0)
    task = asyncio.ensure_future(anext(stream))
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()
    await stream.aclose()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_wait_is_above_zero_and_finite(seconds: float) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="interval"):
        checked_wait("interval", seconds)
