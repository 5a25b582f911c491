"""Calls are repeated when that is safe and may help, and given up in time."""

import asyncio
from dataclasses import dataclass
from random import Random

import pytest

from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.resilience import (
    BudgetPolicy,
    Deadline,
    GaveUp,
    GiveUp,
    Retry,
    RetryBudget,
    Retrying,
    RetryPolicy,
)
from loadpath.testing import FakeClock
from tests.unit.resilience.heard import Heard

QUICK = RetryPolicy(tries=3, backoff=Backoff(base=1e-4, cap=1e-3))


class Dependency:
    """Fail some times, then answer."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        """Raise the next error, or answer."""
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "fine"


async def test_it_is_repeated_until_it_answers() -> None:
    """Two failures, one answer; the listener hears both repetitions."""
    heard = Heard()
    retry = Retry("r", QUICK, idempotent=True, events=heard)
    dependency = Dependency(ConnectionError("a"), InDoubtError("b"))
    assert await retry.call(dependency) == "fine"
    assert dependency.calls == 3
    assert [(e.tried, e.cause) for e in heard.events if isinstance(e, Retrying)] == [
        (1, "ConnectionError('a')"),
        (2, "InDoubtError('b')"),
    ]
    snapshot = retry.snapshot()
    assert (snapshot.calls, snapshot.repeated, snapshot.gave_up) == (1, 2, 0)


async def test_the_last_error_is_raised_as_it_is() -> None:
    """After the tries are used up."""
    heard = Heard()
    last = ConnectionError("third")
    dependency = Dependency(ConnectionError(), ConnectionError(), last)
    with pytest.raises(ConnectionError) as caught:
        await Retry("r", QUICK, idempotent=True, events=heard).call(dependency)
    assert caught.value is last
    assert heard.events[-1] == GaveUp(
        name="r", tried=3, why=GiveUp.TRIES, cause="ConnectionError('third')"
    )


@pytest.mark.parametrize(
    ("error", "idempotent", "calls"),
    [
        (RejectedError("full"), False, 2),
        (InDoubtError("?"), False, 1),
        (InDoubtError("?"), True, 2),
        (ConnectionError(), False, 1),
        (ConnectionError(), True, 2),
        (ValueError(), True, 1),
    ],
    ids=repr,
)
async def test_only_what_is_safe_and_helps_is_repeated(
    error: Exception,
    idempotent: bool,  # noqa: FBT001 - a table's column
    calls: int,
) -> None:
    """What was rejected always, what is in doubt or failed only by its owner's word."""
    dependency = Dependency(error)
    retry = Retry("r", QUICK, idempotent=idempotent)
    if calls == 1:
        with pytest.raises(type(error)):
            await retry.call(dependency)
    else:
        assert await retry.call(dependency) == "fine"
    assert dependency.calls == calls


@pytest.mark.parametrize("tried", [0, 1])
async def test_a_cancellation_is_no_failure(tried: int) -> None:
    """Nobody waits for the answer any more: neither in the call nor between two."""
    dependency = Dependency(*[ConnectionError()] * tried, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await Retry("r", QUICK, idempotent=True, errors=BaseException).call(dependency)
    assert dependency.calls == tried + 1


async def test_cancelled_at_any_moment_nothing_is_repeated_afterwards() -> None:
    """Two thousand callers are cancelled while they call or wait; each stops there."""
    chance = Random(5)
    policy = RetryPolicy(tries=50, backoff=Backoff(base=1e-5, cap=1e-5))

    class Slow(Dependency):
        async def __call__(self) -> str:
            self.calls += 1
            await asyncio.sleep(0)
            raise ConnectionError

    for _ in range(2_000):
        dependency = Slow()
        caller = asyncio.create_task(Retry("r", policy, idempotent=True).call(dependency))
        for _ in range(chance.randrange(1, 6)):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        calls = dependency.calls
        await asyncio.sleep(0)
        assert caller.cancelled()
        assert dependency.calls == calls


@dataclass
class Response:
    """A result that tells what went wrong."""

    status: int
    retry_after: float | None = None


async def test_results_may_be_failures() -> None:
    """A 503 is repeated after what it asks for; the last one is returned when it is given up."""
    answers = [Response(503, 0.0), Response(200)]
    bad = [Response(503, 3_600.0), Response(200)]

    async def server(left: list[Response]) -> Response:
        return left.pop(0)

    heard = Heard()
    retry = Retry(
        "r", QUICK, idempotent=True, failed_result=lambda r: r.status == 503, events=heard
    )
    assert (await retry.call(server, answers)).status == 200
    assert (await retry.call(server, bad)).status == 503
    assert [type(event) for event in heard.events] == [Retrying, GaveUp]
    assert isinstance(heard.events[-1], GaveUp)
    assert heard.events[-1].why is GiveUp.RETRY_AFTER


async def test_a_failed_result_is_unsafe_without_its_owners_word() -> None:
    """The call was tried: it may have had effects."""

    async def server() -> Response:
        return Response(503)

    heard = Heard()
    retry = Retry("r", QUICK, failed_result=lambda r: r.status == 503, events=heard)
    assert (await retry.call(server)).status == 503
    assert isinstance(heard.events[-1], GaveUp)
    assert heard.events[-1].why is GiveUp.UNSAFE


async def test_nothing_is_slept_past_the_deadline() -> None:
    """Ten milliseconds are left and the wait is a second: the error comes at once."""
    heard, clock = Heard(), FakeClock()
    policy = RetryPolicy(backoff=Backoff(base=1.0, jitter="none"))
    retry = Retry("r", policy, idempotent=True, events=heard, clock=clock)
    dependency = Dependency(ConnectionError())
    with Deadline.after(0.01, clock.monotonic()).applied(), pytest.raises(ConnectionError):
        await retry.call(dependency)
    assert dependency.calls == 1
    assert isinstance(heard.events[-1], GaveUp)
    assert heard.events[-1].why is GiveUp.DEADLINE


async def test_a_shared_budget_bounds_the_load() -> None:
    """A hundred calls that all fail are repeated ten times in all, not two hundred times."""
    budget = RetryBudget(BudgetPolicy(share=0.1, minimum_rate=0.0))
    heard = Heard()
    retries = [
        Retry("r", QUICK, idempotent=True, budget=budget, events=heard, clock=FakeClock())
        for _ in range(2)
    ]
    dependency = Dependency(*[ConnectionError()] * 1_000)
    for n in range(100):
        with pytest.raises(ConnectionError):
            await retries[n % 2].call(dependency)
    assert dependency.calls <= 110
    why = {event.why for event in heard.events if isinstance(event, GaveUp)}
    assert GiveUp.BUDGET in why


async def test_the_same_seed_waits_the_same() -> None:
    """Chance is handed in."""
    waits = []
    for _ in range(2):
        heard = Heard()
        retry = Retry("r", QUICK, idempotent=True, random=Random(7), events=heard)
        await retry.call(Dependency(ConnectionError(), TimeoutError()))
        waits.append([event.wait for event in heard.events if isinstance(event, Retrying)])
    assert waits[0] == waits[1]
    assert len(waits[0]) == 2
