"""Waits end at a notice, and who stops listening begins again."""

import asyncio

from loadpath.upstream.resolvers.notices import LEAST_GAP, Notices, Ring


async def test_a_wait_ends_at_a_notice() -> None:
    """Nobody waits for the whole time, and a notice that came before the wait counts."""

    async def listen(ring: Ring) -> None:
        ring()
        await asyncio.Event().wait()

    async with Notices(listen, retry=1.0) as notices, asyncio.timeout(20):
        await notices.wait(300.0)
        waiting = asyncio.ensure_future(notices.wait(300.0))
        await asyncio.sleep(3 * LEAST_GAP)
        assert not waiting.done()  # the one notice was heard already
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_who_stops_listening_begins_again_and_says_why_once() -> None:
    """The first failure in a row is told, and a new one after it had listened."""
    begun = 0

    async def listen(ring: Ring) -> None:
        nonlocal begun
        begun += 1
        if begun % 3 == 0:
            ring()
        raise OSError(f"gone {begun}")

    told = []
    async with Notices(listen, retry=1e-4) as notices, asyncio.timeout(20):
        while begun < 7:
            await asyncio.sleep(1e-4)
            if (failure := notices.failure()) is not None:
                told.append(str(failure))
    assert told[0] == "gone 1"
    assert set(told) <= {"gone 1", "gone 3", "gone 6"}


async def test_without_a_listener_a_wait_takes_its_time() -> None:
    """It is a sleep, and there is nothing to end."""
    async with Notices(None, retry=1.0) as notices:
        await notices.wait(1e-4)
        assert notices.failure() is None
