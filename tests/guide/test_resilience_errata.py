"""The defects of the guide's CircuitBreaker, each shown by one scenario against it and ours.

A scenario is written once, against what a user of either can do. The rendering of the guide must
fail it, ours must pass, both with their defaults: 5 failures, 60 s.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import pytest

from loadpath import resilience
from loadpath.testing import FakeClock
from tests.guide.as_written import resilience as as_written


class Dependency:
    """Something to call, which fails when told so and counts the calls that reach it."""

    def __init__(self) -> None:
        self.reached = 0
        self.broken = True
        self.answer = asyncio.Event()

    async def now(self) -> None:
        """Answer or fail at once."""
        self.reached += 1
        if self.broken:
            raise ConnectionError("down")

    async def later(self) -> None:
        """Answer when the scenario lets it."""
        self.reached += 1
        await self.answer.wait()


class Breaker(Protocol):
    """Do what a user of either breaker can do."""

    async def call(self, operation: Callable[[], Awaitable[None]], /) -> None:
        """Call through the breaker."""
        ...


async def calls(breaker: Breaker, dependency: Dependency, number: int) -> int:
    """Make calls one after the other; return how many reached the dependency."""
    before = dependency.reached
    for _ in range(number):
        with suppress(ConnectionError, as_written.OpenError):
            await breaker.call(dependency.now)
    return dependency.reached - before


async def fifty_at_once_after_the_wait(breaker: Breaker, clock: FakeClock) -> None:
    """A dependency that is just recovering gets a few calls, not all that have waited for it."""
    dependency = Dependency()
    await calls(breaker, dependency, 5)
    clock.advance(61.0)
    dependency.reached = 0
    waiting = [asyncio.create_task(breaker.call(dependency.later)) for _ in range(50)]
    await asyncio.sleep(0)
    reached = dependency.reached
    dependency.answer.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert 1 <= reached <= 10


async def every_other_call_fails(breaker: Breaker, clock: FakeClock) -> None:
    """A dependency that fails half of its calls is left alone for a while."""
    del clock
    dependency = Dependency()
    for _ in range(100):
        dependency.broken = not dependency.broken
        await calls(breaker, dependency, 1)
    assert dependency.reached < 100


async def one_lucky_answer(breaker: Breaker, clock: FakeClock) -> None:
    """One answer after the wait does not make it well: it is spared again before five more fail."""
    dependency = Dependency()
    await calls(breaker, dependency, 5)
    clock.advance(61.0)
    dependency.broken = False
    assert await calls(breaker, dependency, 1) == 1
    dependency.broken = True
    assert await calls(breaker, dependency, 50) < 5


async def an_answer_from_before(breaker: Breaker, clock: FakeClock) -> None:
    """A call that began before it opened, and is answered after, does not close it."""
    del clock
    dependency = Dependency()
    old = asyncio.create_task(breaker.call(dependency.later))
    await asyncio.sleep(0)
    await calls(breaker, dependency, 5)
    dependency.answer.set()
    await old
    assert await calls(breaker, dependency, 5) == 0


async def answers_that_come_too_late(breaker: Breaker, clock: FakeClock) -> None:
    """A dependency that answers everything after more than a minute is as good as down."""
    dependency = Dependency()
    for _ in range(3):
        dependency.answer.clear()
        waiting = [asyncio.create_task(breaker.call(dependency.later)) for _ in range(20)]
        await asyncio.sleep(0)
        clock.advance(61.0)
        dependency.answer.set()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert dependency.reached < 60


SCENARIOS = [
    fifty_at_once_after_the_wait,
    every_other_call_fails,
    one_lucky_answer,
    an_answer_from_before,
    answers_that_come_too_late,
]
Scenario = Callable[[Breaker, FakeClock], Awaitable[None]]
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)


class AsWritten:
    """Use the rendering of the guide."""

    def __init__(self, clock: FakeClock) -> None:
        self._breaker = as_written.CircuitBreaker(lambda: clock.monotonic() * 1000)

    async def call(self, operation: Callable[[], Awaitable[None]], /) -> None:
        """Call through the breaker."""
        await self._breaker.execute(operation)


@every_scenario
async def test_the_guide_as_written_fails(scenario: Scenario) -> None:
    """The rendering of the guide does not do what its users expect."""
    clock = FakeClock()
    with pytest.raises(AssertionError):
        await scenario(AsWritten(clock), clock)


@every_scenario
async def test_ours_passes(scenario: Scenario) -> None:
    """The same scenario holds for ours."""
    clock = FakeClock()
    await scenario(resilience.CircuitBreaker("dependency", clock=clock), clock)
