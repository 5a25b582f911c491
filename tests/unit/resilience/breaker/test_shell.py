"""The breaker around calls: what counts as what, and nothing is kept when a caller is gone."""

import asyncio
import inspect
from contextlib import suppress
from random import Random

import pytest

from loadpath.core.errors import RejectedError
from loadpath.core.ports import Guard, Observable
from loadpath.resilience import BreakerOpen, BreakerPolicy, CircuitBreaker
from loadpath.testing import FakeClock
from tests.unit.resilience.heard import Heard, answer, fail

SLOW = BreakerPolicy(slow_after=1.0)


async def outcome(breaker: CircuitBreaker, error: BaseException | None = None) -> object:
    """Return what a call through the breaker came to."""
    try:
        return await (breaker.call(fail, error) if error else breaker.call(answer))
    except BaseException as raised:  # noqa: BLE001 - cancellations too
        return raised


def counted(breaker: CircuitBreaker) -> tuple[int, int]:
    """Return how many calls counted, and how many of them failed."""
    snapshot = breaker.snapshot()
    return snapshot.calls, snapshot.failed


async def test_results_and_errors_pass_through_unchanged() -> None:
    """The caller gets the very result and the very error."""
    breaker = CircuitBreaker("b")
    error = OSError("down")
    assert await breaker.call(answer, value="this") == "this"
    assert await outcome(breaker, error) is error
    assert counted(breaker) == (2, 1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError(), (1, 1)),
        (TimeoutError(), (1, 1)),
        (KeyError(), (1, 0)),
        (FileNotFoundError(), (0, 0)),
        (asyncio.CancelledError(), (0, 0)),
        (KeyboardInterrupt(), (0, 0)),
    ],
    ids=repr,
)
async def test_errors_count_as_told(error: BaseException, expected: tuple[int, int]) -> None:
    """Failures fail, other errors are answers, ignored ones and cancellations are nothing."""
    breaker = CircuitBreaker("b", failures=OSError, ignored=(FileNotFoundError, RejectedError))
    assert await outcome(breaker, error) is error
    assert counted(breaker) == expected


async def test_rejections_of_inner_parts_are_not_the_dependencys_fault() -> None:
    """A full bulkhead inside opens no breaker."""
    breaker = CircuitBreaker("b")
    for _ in range(100):
        await outcome(breaker, RejectedError("full"))
    assert breaker.state == "closed"


async def test_filters_may_be_functions() -> None:
    """An error is judged by what it says."""
    breaker = CircuitBreaker("b", failures=lambda error: "5" in str(error), ignored=())
    await outcome(breaker, ValueError("503"))
    await outcome(breaker, ValueError("404"))
    assert counted(breaker) == (2, 1)


async def test_results_may_be_failures() -> None:
    """A status is a failure without an exception; a test that raises loses no permit."""
    breaker = CircuitBreaker("b", failed_result=lambda text: int(text) >= 500)
    decorated = breaker(answer)
    assert await breaker.call(answer, "503") == await decorated("503") == "503"
    assert await breaker.call(answer, "200") == await decorated("200") == "200"
    assert counted(breaker) == (4, 2)
    with pytest.raises(ValueError, match="invalid literal"):
        await breaker.call(answer, "broken")
    assert counted(breaker) == (5, 3)


@pytest.mark.parametrize("error", [None, OSError("down"), asyncio.CancelledError()], ids=repr)
async def test_a_decorated_function_is_a_call(error: BaseException | None) -> None:
    """Decorated or called, the same counts; the function keeps its name and stays async."""
    called, decorated = CircuitBreaker("a"), CircuitBreaker("b")
    guarded = decorated(fail if error else answer)
    assert guarded.__name__ == ("fail" if error else "answer")
    assert inspect.iscoroutinefunction(guarded)
    await outcome(called, error)
    with suppress(OSError, asyncio.CancelledError):
        await guarded(error)  # type: ignore[arg-type] # the answer is not looked at
    assert counted(called) == counted(decorated)


async def test_fifty_at_once_after_the_wait() -> None:
    """Three reach the dependency at the same time, the rest is refused at once."""
    clock = FakeClock()
    breaker = CircuitBreaker("b", clock=clock)
    for _ in range(5):
        await outcome(breaker, OSError())
    clock.advance(60.0)
    reached, free = 0, asyncio.Event()

    async def dependency() -> None:
        nonlocal reached
        reached += 1
        await free.wait()

    callers = [asyncio.create_task(breaker.call(dependency)) for _ in range(50)]
    await asyncio.sleep(0)
    assert reached == breaker.snapshot().permits == 3
    free.set()
    ends = await asyncio.gather(*callers, return_exceptions=True)
    assert sum(isinstance(end, BreakerOpen) for end in ends) == 47
    assert breaker.state == "closed"


async def test_cancelled_trials_leak_no_permit() -> None:
    """Thousands of trial calls are cancelled at random moments; every permit comes back."""
    clock, chance = FakeClock(), Random(3)
    breaker = CircuitBreaker("b", clock=clock)
    breaker.switch("half_open")

    async def steps() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    for _ in range(3_000):
        caller = asyncio.create_task(breaker.call(steps))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert breaker.snapshot().permits == 0
    assert breaker.state == "half_open"
    for _ in range(3):
        await breaker.call(answer)
    assert breaker.state == "closed"


def test_a_permit_by_hand() -> None:
    """What it is told first counts, and only that."""
    breaker: Guard = CircuitBreaker("b")
    for tell in ("succeed", "fail", "release"):
        permit = breaker.acquire()
        if tell == "fail":
            permit.fail(OSError())
        else:
            getattr(permit, tell)()
        permit.fail(OSError())
        permit.succeed()
        permit.release()
    assert isinstance(breaker, CircuitBreaker)
    assert counted(breaker) == (2, 1)


def test_a_permit_as_a_block() -> None:
    """Also in synchronous code: an error fails, an ignored one and a cancellation do not."""
    breaker = CircuitBreaker("b")
    with breaker.acquire():
        pass
    for error in (OSError(), RejectedError("full"), KeyboardInterrupt()):
        with pytest.raises(type(error)), breaker.acquire():
            raise error
    assert counted(breaker) == (2, 1)
    breaker.switch("forced_open")
    with pytest.raises(BreakerOpen, match="b is forced_open"):
        breaker.acquire()


def test_a_slow_block_is_slow() -> None:
    """A permit measures the time; giving up after long is slow as well."""
    clock = FakeClock()
    breaker = CircuitBreaker("b", SLOW, clock=clock)
    for tell in ("succeed", "release"):
        permit = breaker.acquire()
        clock.advance(1.0)
        getattr(permit, tell)()
    assert breaker.snapshot().slow == 2


async def test_choosing_takes_no_permit() -> None:
    """Asking whether a call is worth trying changes nothing."""
    clock = FakeClock()
    breaker = CircuitBreaker("b", clock=clock)
    assert breaker.would_pass()
    for _ in range(5):
        await outcome(breaker, OSError())
    assert not breaker.would_pass()
    clock.advance(60.0)
    assert breaker.would_pass()
    assert (breaker.state, breaker.snapshot().permits) == ("open", 0)
    permits = [breaker.acquire() for _ in range(3)]
    assert not breaker.would_pass()
    permits[0].release()
    assert breaker.would_pass()


def test_it_tells_its_figures_and_hears_nothing_by_default() -> None:
    """It is observable, named, and works without a listener as with one."""
    heard = Heard()
    observed: Observable = CircuitBreaker("orders", events=heard)
    assert isinstance(observed, CircuitBreaker)
    assert observed.name == "orders"
    observed.switch("disabled")
    assert len(heard.events) == 1
    assert CircuitBreaker("silent").snapshot().rejected == 0


def test_a_filter_that_is_none_is_refused() -> None:
    """The error names the argument."""
    with pytest.raises(TypeError, match="failures must be an exception class"):
        CircuitBreaker("b", failures="OSError")  # type: ignore[arg-type] # on purpose
    with pytest.raises(TypeError, match="ignored must be an exception class"):
        CircuitBreaker("b", ignored=(int,))  # type: ignore[arg-type] # on purpose
