"""Calls beyond the limit are shed, and the limit learns from those that ended."""

import asyncio
from random import Random

import pytest

from loadpath.core.errors import RejectedError
from loadpath.resilience import AdaptiveLimit, Aimd, LoadShed, Overloaded
from loadpath.testing import FakeClock
from tests.unit.resilience.heard import Heard, answer, fail


async def test_what_is_too_much_is_shed_at_once() -> None:
    """Two run, the third is refused and told."""
    heard, free = Heard(), asyncio.Event()
    limit = AdaptiveLimit(Aimd(initial=2, minimum=1), name="db", events=heard)
    running = [asyncio.create_task(limit.call(free.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="db: 2 calls run") as caught:
        await limit.call(fail, AssertionError("it was tried"))
    assert isinstance(caught.value, RejectedError)
    assert heard.events == [LoadShed(name="db", limit=2)]
    free.set()
    await asyncio.gather(*running)
    assert await limit.call(answer) == "fine"
    assert (limit.snapshot().running, limit.snapshot().shed) == (0, 1)


@pytest.mark.parametrize(
    ("error", "limit"),
    [(TimeoutError(), 9), (RejectedError("busy"), 9), (ValueError(), 10)],
    ids=repr,
)
async def test_it_learns_from_drops_only(error: Exception, limit: int) -> None:
    """A fast failure is no sign of a quick dependency."""
    adaptive = AdaptiveLimit(Aimd(initial=10))
    with pytest.raises(type(error)):
        await adaptive.call(fail, error)
    assert adaptive.snapshot().limit == limit


async def test_late_answers_shrink_it() -> None:
    """The time is measured from its beginning to its end."""
    clock = FakeClock()
    adaptive = AdaptiveLimit(Aimd(initial=10, late_after=1.0), clock=clock)

    async def late() -> None:
        clock.advance(2.0)

    await adaptive.call(late)
    assert adaptive.snapshot().limit == 9


async def test_cancelled_at_any_moment_no_place_is_lost() -> None:
    """Thousands are cancelled; the limit neither leaks nor learns from them."""
    adaptive, chance = AdaptiveLimit(Aimd(initial=5, maximum=5)), Random(8)

    async def steps() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    for _ in range(1_000):
        callers = [asyncio.create_task(adaptive.call(steps)) for _ in range(3)]
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
    snapshot = adaptive.snapshot()
    assert (snapshot.running, snapshot.limit, snapshot.shed) == (0, 5, 0)
