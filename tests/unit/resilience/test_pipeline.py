"""Stages run in the order in which they are written."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import msgspec
import pytest

from loadpath.core.backoff import Backoff
from loadpath.resilience import (
    AdaptiveLimit,
    Aimd,
    BreakerOpen,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    Pipeline,
    Rate,
    RateLimit,
    Retry,
    RetryPolicy,
    Stage,
    TimedOut,
    Timeout,
)
from loadpath.resilience.stage import P, T
from tests.unit.resilience.heard import answer, fail

QUICK = RetryPolicy(tries=3, backoff=Backoff(base=1e-4, cap=1e-4))


class Named(Stage):
    """Write down when a call passes."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write down the way in and the way out."""
        self._log.append(f"into {self._name}")
        try:
            return await function(*args, **kwargs)
        finally:
            self._log.append(f"out of {self._name}")

    def snapshot(self) -> msgspec.Struct:
        """Tell nothing."""
        return msgspec.Struct()


async def test_the_first_is_the_outermost() -> None:
    """Arguments and results pass through all of them; a pipeline may be a stage."""
    log: list[str] = []
    inner = Pipeline(Named("b", log), Named("c", log))
    pipeline = Pipeline(Named("a", log), inner)
    assert await pipeline.call(answer, value="this") == "this"
    assert log == ["into a", "into b", "into c", "out of c", "out of b", "out of a"]
    assert len(pipeline.stages) == 3


async def test_its_figures_are_those_of_its_stages() -> None:
    """In order, and as JSON."""
    pipeline = Pipeline(Timeout(1.0), CircuitBreaker("b"), Bulkhead(3))
    await pipeline.call(answer)
    told = msgspec.json.decode(msgspec.json.encode(pipeline.snapshot()))
    assert [stage["name"] for stage in told["stages"]] == ["timeout", "b", "bulkhead"]
    assert told["stages"][0]["calls"] == told["stages"][1]["calls"] == 1


async def test_each_try_asks_the_breaker() -> None:
    """A retry outside a breaker stops reaching the dependency when that opens."""
    calls = 0

    async def broken() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionError

    breaker = CircuitBreaker("b")
    pipeline = Pipeline(Retry("r", QUICK, idempotent=True), breaker)
    with pytest.raises(ConnectionError):
        await pipeline.call(broken)
    with pytest.raises(BreakerOpen):
        await pipeline.call(broken)
    assert calls == 5


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def test_a_dependency_that_hangs_is_seen_from_inside_a_timeout() -> None:
    """The timeout is around breaker and limit: what it stops failed, and was dropped."""
    breaker, limit = CircuitBreaker("b"), AdaptiveLimit(Aimd(initial=10))
    pipeline = Pipeline(Timeout(0.002), breaker, limit)
    for _ in range(5):
        with pytest.raises(TimedOut):
            await pipeline.call(hang)
    with pytest.raises(BreakerOpen):
        await pipeline.call(hang)
    assert breaker.snapshot().failed == 5
    assert limit.snapshot().limit < 10


async def test_callers_that_go_away_before_the_deadline_say_nothing() -> None:
    """A cancellation is the dependency's fault only when its time was over."""
    breaker, limit = CircuitBreaker("b"), AdaptiveLimit(Aimd(initial=10))
    pipeline = Pipeline(Timeout(60.0), breaker, limit)
    for _ in range(20):
        caller = asyncio.create_task(pipeline.call(hang))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
    assert breaker.snapshot().calls == 0
    assert limit.snapshot().limit == 10


async def test_cancelled_at_any_moment_nothing_is_left() -> None:
    """Thousands of calls through six stages are cancelled; every place and permit is free."""
    chance, breaker, bulkhead = Random(6), CircuitBreaker("b"), Bulkhead(4, queue=4)
    breaker.switch("half_open")
    pipeline = Pipeline(
        Timeout(30.0),
        Retry("r", QUICK, idempotent=True),
        Hedge(1e-9),
        RateLimit(Rate(limit=10**6, burst=10**6)),
        breaker,
        bulkhead,
    )

    async def steps() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    for _ in range(600):
        callers = [asyncio.create_task(pipeline.call(steps)) for _ in range(3)]
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert bulkhead.snapshot().running == bulkhead.snapshot().waiting == 0
        assert breaker.snapshot().permits == 0
    assert asyncio.all_tasks() <= before
    assert breaker.state == "half_open"


def test_orders_without_meaning_are_refused() -> None:
    """Each error says what is wrong."""
    breaker, retry, fallback = CircuitBreaker("b"), Retry(), Fallback(lambda _: None)
    with pytest.raises(ValueError, match="at least one stage"):
        Pipeline()
    with pytest.raises(ValueError, match="twice"):
        Pipeline(breaker, Timeout(1.0), breaker)
    with pytest.raises(ValueError, match="two retries multiply"):
        Pipeline(retry, Pipeline(breaker, Retry()))
    with pytest.raises(ValueError, match="CircuitBreaker would never see an error"):
        Pipeline(breaker, fallback)
    with pytest.raises(ValueError, match="Retry would never see an error"):
        Pipeline(retry, breaker, Fallback(lambda _: None, errors=(KeyError, Exception)))
    with pytest.raises(TypeError, match="is no pattern"):
        Pipeline(answer)  # type: ignore[arg-type] # on purpose


async def test_unusual_orders_are_allowed() -> None:
    """Only what cannot mean anything is refused."""
    some = Fallback(lambda _: "none", errors=KeyError)
    unusual = Pipeline(CircuitBreaker("b"), some, Timeout(1.0), Retry(), Timeout(0.5))
    assert await unusual.call(fail, KeyError()) == "none"
    assert await Pipeline(Fallback(lambda _: None), Retry())(answer)() == "fine"
