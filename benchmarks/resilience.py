"""What a pattern costs a call that succeeds, beside the libraries a user would pick instead.

CPU nanoseconds of one async call, the awaited function and the loop around it included on both
sides (a bare call is in the list). Rounds of all take turns, and the medians are told. Every
library is used by its decorator, as its documentation shows, and with its own way of hearing
events. Only interlock has a sliding window and slow calls as ours does; the others count failures
in a row. `limits` gets its cheapest strategy, a fixed window; stamina and tenacity retry as ours.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from statistics import median
from typing import Any

import aiobreaker
import circuitbreaker
import hyx.circuitbreaker
import interlock
import limits
import limits.aio.storage
import limits.aio.strategies
import msgspec
import purgatory
import stamina
import tenacity

from benchmarks.result import Result
from loadpath.resilience import (
    BreakerPolicy,
    Bulkhead,
    CircuitBreaker,
    Pipeline,
    Rate,
    RateLimit,
    Retry,
    RetryBudget,
    Timeout,
)

ROUNDS = 15
CALLS = 2_000
KEYS = [f"client-{n}" for n in range(100)]

Call = Callable[[], Awaitable[object]]


class Heard:
    """Events, kept."""

    def __init__(self) -> None:
        self.events: list[msgspec.Struct] = []

    def emit(self, event: msgspec.Struct) -> None:
        """Keep one."""
        self.events.append(event)


async def work() -> int:
    """Succeed at once."""
    return 1


def run() -> list[Result]:
    """Return every figure of the room."""
    return asyncio.run(figures())


async def figures() -> list[Result]:
    """Measure everything in turns."""
    spent = await measured(
        {
            "bare": work,
            "breaker": CircuitBreaker("b", BreakerPolicy(slow_after=1.0), events=Heard())(work),
            "interlock-cb": interlocked(),
            "hyx": hyx.circuitbreaker.consecutive_breaker(failure_threshold=5)(work),
            "purgatory": purged(),
            "aiobreaker": aiobroken(),
            "circuitbreaker": circuitbreaker.CircuitBreaker(failure_threshold=5)(work),
            "retry": Retry("r", idempotent=True, budget=RetryBudget())(work),
            "stamina": stamina.retry(on=ConnectionError, attempts=3)(work),
            "tenacity": tenaciously(),
            "rate": limited(),
            "limits": limited_by_limits(),
            "pipeline": pipeline()(work),
        }
    )
    breaker = "an async call through the breaker"
    return [
        alone(breaker, spent["breaker"], goal=1_000),
        against(breaker, spent, "breaker", "interlock-cb", goal=5.0),
        against(breaker, spent, "breaker", "hyx", goal=1.2),
        against(breaker, spent, "breaker", "purgatory", goal=1.5),
        against(breaker, spent, "breaker", "aiobreaker", goal=1.2),
        against(breaker, spent, "breaker", "circuitbreaker", goal=1.0),
        against("a call that needs no retry, budgeted", spent, "retry", "stamina", goal=5.0),
        against("a call that needs no retry, budgeted", spent, "retry", "tenacity", goal=5.0),
        against("a request within its rate, in memory", spent, "rate", "limits", goal=1.5),
        alone("timeout, retry, breaker, bulkhead, timeout", spent["pipeline"], goal=20_000),
        alone("a bare async call", spent["bare"], goal=1_000),
    ]


async def measured(calls: dict[str, Call]) -> dict[str, float]:
    """Return the CPU time of one call of each (ns)."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time_ns()
            for _ in range(CALLS):
                await call()
            spent[name].append((time.process_time_ns() - start) / CALLS)
    return {name: median(times) for name, times in spent.items()}


def against(name: str, spent: dict[str, float], ours: str, peer: str, *, goal: float) -> Result:
    """Return one figure beside the peer's."""
    return Result(
        name=name,
        ours=spent[ours],
        unit="ns CPU",
        better="lower",
        goal=goal,
        peer_name=peer,
        peer=spent[peer],
    )


def alone(name: str, ours: float, *, goal: float) -> Result:
    """Return one figure with a limit of its own."""
    return Result(name=name, ours=ours, unit="ns CPU", better="lower", goal=goal, goal_on="ours")


def interlocked() -> Call:
    """Set interlock up as ours: a window of ten seconds, slow calls, a listener."""
    config = interlock.Config(
        window_type=interlock.WindowType.TIME_BASED,
        window_size=10,
        minimum_number_of_calls=5,
        slow_call_duration_threshold=1.0,
    )

    class Listener:
        def on_state_change(self, **event: object) -> None:
            """Hear a change."""

    breaker: Any = interlock.CircuitBreaker(name="b", config=config, listener=Listener())  # type: ignore[arg-type] # its hooks are optional
    guarded: Call = breaker(work)
    return guarded


def purged() -> Call:
    """Set purgatory up with a listener."""
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=60)
    factory.add_listener(lambda *_: None)
    guarded: Call = factory("b")(work)
    return guarded


def aiobroken() -> Call:
    """Set aiobreaker up with a listener."""
    breaker = aiobreaker.CircuitBreaker(
        fail_max=5,
        timeout_duration=timedelta(seconds=60),
        listeners=[aiobreaker.CircuitBreakerListener()],
    )
    guarded: Call = breaker(work)
    return guarded


def tenaciously() -> Call:
    """Set tenacity up as ours: three tries, exponential waits with jitter."""
    return tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential_jitter(),
        retry=tenacity.retry_if_exception_type(ConnectionError),
        reraise=True,
    )(work)


def limited() -> Call:
    """Ask ours for one client after the other."""
    limit, names = RateLimit(Rate(limit=10**6, burst=10**6)), turns()
    return lambda: limit.acquire(names())


def limited_by_limits() -> Call:
    """Ask the peer for the same."""
    storage = limits.aio.storage.MemoryStorage()
    strategy = limits.aio.strategies.FixedWindowRateLimiter(storage)
    item, names = limits.RateLimitItemPerSecond(10**6), turns()
    return lambda: strategy.hit(item, names())


def turns() -> Callable[[], str]:
    """Return a function that names one client after the other."""
    number = 0

    def name() -> str:
        nonlocal number
        number += 1
        return KEYS[number % len(KEYS)]

    return name


def pipeline() -> Pipeline:
    """Put five patterns around a call."""
    return Pipeline(
        Timeout(2.0),
        Retry("r", idempotent=True, budget=RetryBudget()),
        CircuitBreaker("b"),
        Bulkhead(10),
        Timeout(0.5),
    )
