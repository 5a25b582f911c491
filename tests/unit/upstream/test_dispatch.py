"""The way of a call: the next endpoint, what is safe, budgets, breakers, hedges, settled once."""

import asyncio

import pytest

from loadpath.balance import Balancer, NoEndpointError, RoundRobin
from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.http import ConnectError, PoolFullError, ResponseLostError, ResponseTimeoutError
from loadpath.resilience import (
    BreakerOpen,
    BreakerPolicy,
    BudgetPolicy,
    DeadlinePassed,
    GaveUp,
    GiveUp,
    Hedge,
    RetryBudget,
    Retrying,
    RetryPolicy,
)
from loadpath.testing import FakeClock
from loadpath.upstream import (
    AttemptFailed,
    UpstreamInDoubtError,
    UpstreamInDoubtTimeoutError,
    UpstreamUnavailableError,
    UpstreamUnavailableTimeoutError,
)
from tests.unit.upstream.asked import Asking, Head, Heard, Rig, forever

A, B, C = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"


async def test_an_answer_is_settled_by_whoever_gets_it() -> None:
    """Until the answer is settled its endpoint counts it as in flight; a second time is nothing."""
    rig = Rig(A)
    answered = await rig.dispatch.deliver(Asking(lambda _: Head()))
    assert rig.in_flight() == 1
    answered.settle()
    answered.settle()
    assert rig.in_flight() == 0
    assert rig.balancer.get_server_stats()[0].request_count == 1


async def test_each_attempt_goes_to_another_endpoint() -> None:
    """What was refused is tried at every endpoint once, and the error names the last one."""
    rig = Rig(A, B, C)
    call = Asking(lambda _: ConnectError("refused"), repeatable=False)
    with pytest.raises(UpstreamUnavailableError) as caught:
        await rig.dispatch.deliver(call)
    assert sorted(call.asked) == [A, B, C]
    assert caught.value.endpoint == call.asked[-1]
    assert (caught.value.upstream, caught.value.attempts) == ("orders", 3)
    assert isinstance(caught.value.__cause__, ConnectError)
    assert rig.in_flight() == 0


async def test_a_single_endpoint_is_tried_again() -> None:
    """Where there is no other endpoint, the same one is asked after a wait."""
    rig = Rig(A)
    heads = iter([ConnectError("refused"), Head()])
    answered = await rig.dispatch.deliver(Asking(lambda _: next(heads)))
    assert answered.answer.status == 200
    answered.settle()


async def test_in_doubt_is_repeated_only_where_that_is_safe() -> None:
    """A call that may have had effects is sent again only when it may happen twice."""
    rig = Rig(A, B, C)
    heads = iter([ResponseLostError("gone"), Head()])
    answered = await rig.dispatch.deliver(Asking(lambda _: next(heads)))
    answered.settle()
    call = Asking(lambda _: ResponseTimeoutError("late"), repeatable=False)
    with pytest.raises(UpstreamInDoubtTimeoutError) as caught:
        await rig.dispatch.deliver(call)
    assert len(call.asked) == caught.value.attempts == 1
    assert isinstance(caught.value, InDoubtError)


async def test_refused_after_in_doubt_is_in_doubt() -> None:
    """No later rejection takes back that an earlier attempt was sent."""
    heads = iter([ResponseLostError("gone"), ConnectError("a"), ConnectError("b")])
    with pytest.raises(UpstreamInDoubtError) as caught:
        await Rig(A, B, C).dispatch.deliver(Asking(lambda _: next(heads)))
    assert not isinstance(caught.value, RejectedError)


async def test_a_busy_answer_is_kept_until_a_better_one_comes() -> None:
    """503 sends a repeatable call on; the last 503 is the answer when nothing better comes."""
    rig = Rig(A, B, C)
    heads = [Head(503), Head(502), Head(200)]
    left = iter(heads)
    answered = await rig.dispatch.deliver(Asking(lambda _: next(left)))
    assert answered.answer is heads[2]
    assert heads[0].closed
    assert heads[1].closed
    answered.settle()
    left = iter([Head(503), ConnectError("refused"), ConnectError("refused")])
    answered = await rig.dispatch.deliver(Asking(lambda _: next(left)))
    assert answered.answer.status == 503
    assert not answered.answer.closed
    assert rig.in_flight() == 0


async def test_a_busy_answer_to_what_may_not_happen_twice_is_the_answer() -> None:
    """A POST that got 503 is not sent again: the caller decides."""
    call = Asking(lambda _: Head(503), repeatable=False)
    answered = await Rig(A, B).dispatch.deliver(call)
    assert answered.answer.status == 503
    assert len(call.asked) == 1
    answered.settle()


async def test_retry_after_is_waited_for_only_where_no_other_endpoint_is_left() -> None:
    """The endpoint that asked for a wait spoke for itself; another one is asked meanwhile."""
    heard = Heard()
    rig = Rig(A, B, events=heard)
    left = iter([Head(503, 5.0), Head(200)])
    answered = await rig.dispatch.deliver(Asking(lambda _: next(left)))
    answered.settle()
    heard = Heard()
    rig = Rig(A, events=heard, retry=RetryPolicy(longest_retry_after=1.0))
    answered = await rig.dispatch.deliver(Asking(lambda _: Head(503, 5.0)))
    assert answered.answer.status == 503
    gave_up = [each for each in heard.events if isinstance(each, GaveUp)]
    assert [each.why for each in gave_up] == [GiveUp.RETRY_AFTER]


async def test_the_budget_bounds_repetitions() -> None:
    """A budget that is used up lets every call fail at its first error, nothing else."""
    budget = RetryBudget(BudgetPolicy(share=0.0, minimum_rate=0.2, seconds=10.0))
    rig = Rig(A, B, C, budget=budget)
    asked = []
    for _ in range(4):
        call = Asking(lambda _: ConnectError("refused"))
        with pytest.raises(UpstreamUnavailableError):
            await rig.dispatch.deliver(call)
        asked.append(len(call.asked))
    assert asked == [3, 1, 1, 1]
    assert rig.dispatch.tally.repeated == 2


async def test_no_endpoint_and_no_time_are_told_at_once() -> None:
    """Neither is repeated; nothing was tried, and the error says so."""
    with pytest.raises(UpstreamUnavailableError) as caught:
        await Rig().dispatch.deliver(Asking(lambda _: Head()))
    assert isinstance(caught.value.__cause__, NoEndpointError)
    assert (caught.value.endpoint, caught.value.attempts) == (None, 0)
    rig = Rig(A)
    with pytest.raises(UpstreamUnavailableTimeoutError) as late:
        await rig.dispatch.deliver(Asking(lambda _: Head(), deadline=rig.clock.monotonic()))
    assert isinstance(late.value.__cause__, DeadlinePassed)


async def test_no_wait_reaches_past_the_deadline() -> None:
    """A repetition that would begin too late is not waited for."""
    heard = Heard()
    slow = RetryPolicy(backoff=Backoff(base=50.0, cap=50.0, jitter="none"))
    rig = Rig(A, events=heard, retry=slow)
    call = Asking(lambda _: ResponseLostError("gone"), deadline=rig.clock.monotonic() + 1)
    with pytest.raises(UpstreamInDoubtError):
        await rig.dispatch.deliver(call)
    assert [each.why for each in heard.events if isinstance(each, GaveUp)] == [GiveUp.DEADLINE]


async def test_an_open_breaker_is_passed_by() -> None:
    """An endpoint whose breaker is open is not picked; its trial comes when its wait is over."""
    policy = BreakerPolicy(minimum_calls=1, open_for=10.0, half_open_calls=1)
    clock = FakeClock()
    rig = Rig(A, B, breaker=policy, balancer=Balancer(policy=RoundRobin, clock=clock), clock=clock)

    def says(door: object) -> Head | Exception:
        sick = door.address == A and rig.clock.monotonic() < 10  # type: ignore[attr-defined] # Door
        return ConnectError("refused") if sick else Head()

    for _ in range(20):
        (await rig.dispatch.deliver(Asking(says))).settle()
    assert rig.doors[A].breaker is not None
    assert rig.doors[A].breaker.state == "open"
    seen = Asking(says)
    for _ in range(20):
        (await rig.dispatch.deliver(seen)).settle()
    assert set(seen.asked) == {B}
    rig.balancer.set_server_health(A, True)
    rig.clock.advance(100.0)
    after = Asking(says)
    for _ in range(20):
        (await rig.dispatch.deliver(after)).settle()
        after.tried = ()
    assert set(after.asked) == {A, B}
    assert rig.doors[A].breaker.state == "closed"


async def test_when_every_breaker_is_open_nothing_is_sent() -> None:
    """The error is a rejection that says when to come back, and nothing was asked."""
    rig = Rig(A, B, breaker=BreakerPolicy(minimum_calls=1, open_for=10.0))
    with pytest.raises(UpstreamUnavailableError):
        await rig.dispatch.deliver(Asking(lambda _: ConnectError("refused")))
    call = Asking(lambda _: Head())
    with pytest.raises(UpstreamUnavailableError) as caught:
        await rig.dispatch.deliver(call)
    assert isinstance(caught.value.__cause__, BreakerOpen)
    assert caught.value.retry_after == 10.0
    assert call.asked == []
    assert rig.in_flight() == 0


async def test_a_half_open_breaker_hands_out_no_more_than_its_trial_calls() -> None:
    """Of fifty callers at once after the wait, the permitted number gets through."""
    policy = BreakerPolicy(minimum_calls=1, open_for=10.0, half_open_calls=3)
    rig = Rig(A, breaker=policy, retry=RetryPolicy(tries=1))
    with pytest.raises(UpstreamUnavailableError):
        await rig.dispatch.deliver(Asking(lambda _: ConnectError("refused")))
    rig.clock.advance(10.0)
    calls = [Asking(lambda _: forever()) for _ in range(50)]
    tasks = [asyncio.create_task(rig.dispatch.deliver(call)) for call in calls]
    await asyncio.sleep(0)
    assert sum(len(call.asked) for call in calls) == 3
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert rig.doors[A].breaker is not None
    assert rig.doors[A].breaker.snapshot(rig.clock.monotonic()).permits == 0
    assert rig.in_flight() == 0


async def test_a_late_call_is_sent_once_more_and_the_loser_let_go() -> None:
    """The first answer wins; the attempt that lost holds nothing any more."""
    rig = Rig(A, B, hedge=Hedge(0.005))
    first: list[str] = []

    def says(door: object) -> object:
        first.append(door.address)  # type: ignore[attr-defined] # Door
        return forever() if len(first) == 1 else Head()

    call = Asking(says)  # type: ignore[arg-type] # as above
    answered = await rig.dispatch.deliver(call)
    assert sorted(call.asked) == [A, B]
    assert answered.attempt.door.address == call.asked[1]
    answered.settle()
    assert rig.in_flight() == 0


async def test_what_may_not_happen_twice_is_never_hedged() -> None:
    """However late it is, it is sent once."""
    rig = Rig(A, B, hedge=Hedge(0.001))

    async def late() -> Head:
        await asyncio.sleep(0.05)
        return Head()

    call = Asking(lambda _: late(), repeatable=False)
    (await rig.dispatch.deliver(call)).settle()
    assert len(call.asked) == 1


async def test_a_busy_answer_does_not_win_a_race() -> None:
    """A quick 503 waits for the other attempt; when all are busy, one of them is the answer."""
    rig = Rig(A, B, hedge=Hedge(0.005), retry=RetryPolicy(tries=1))
    count = 0

    async def slow(status: int) -> Head:
        await asyncio.sleep(0.03)
        return Head(status)

    def says(status: int) -> object:
        nonlocal count
        count += 1
        return slow(status) if count % 2 else Head(503)

    answered = await rig.dispatch.deliver(Asking(lambda _: says(200)))  # type: ignore[arg-type,return-value] # Says
    assert answered.answer.status == 200
    answered.settle()
    answered = await rig.dispatch.deliver(Asking(lambda _: says(503)))  # type: ignore[arg-type,return-value] # Says
    assert answered.answer.status == 503
    answered.settle()
    assert rig.in_flight() == 0


async def test_an_error_of_the_callers_own_is_raised_as_it_is() -> None:
    """What the body of the request raises is no error of the upstream, and blames no endpoint."""
    rig = Rig(A, B)
    with pytest.raises(ZeroDivisionError):
        await rig.dispatch.deliver(Asking(lambda _: ZeroDivisionError()))
    stats = rig.balancer.get_server_stats()
    assert [each.failure_count for each in stats] == [0, 0]
    assert rig.in_flight() == 0


async def test_a_full_pool_blames_nobody() -> None:
    """That too many of ours wait says nothing about the endpoint."""
    rig = Rig(A, B)
    with pytest.raises(UpstreamUnavailableError):
        await rig.dispatch.deliver(Asking(lambda _: PoolFullError("full")))
    assert [each.failure_count for each in rig.balancer.get_server_stats()] == [0, 0]


async def test_events_tell_each_attempt() -> None:
    """Who listens hears which endpoint failed, that it is repeated, and that it was given up."""
    heard = Heard()
    rig = Rig(A, B, events=heard, retry=RetryPolicy(tries=2))
    with pytest.raises(UpstreamUnavailableError):
        await rig.dispatch.deliver(Asking(lambda _: ConnectError("refused")))
    kinds = [type(each) for each in heard.events]
    assert kinds == [AttemptFailed, Retrying, AttemptFailed, GaveUp]
    failed = [each for each in heard.events if isinstance(each, AttemptFailed)]
    assert [each.attempt for each in failed] == [1, 2]
    assert {each.endpoint for each in failed} == {A, B}
    assert all(each.reason == "refused" for each in failed)


async def test_a_held_answer_is_closed_when_its_caller_is_cancelled() -> None:
    """Whoever is cancelled while a better answer is waited for leaves no answer open."""
    rig = Rig(A, B)
    busy = Head(503)
    left = iter([busy, forever()])
    task = asyncio.create_task(rig.dispatch.deliver(Asking(lambda _: next(left))))
    while rig.dispatch.tally.attempts < 2:  # noqa: ASYNC110 - turn by turn
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert busy.closed
    assert rig.in_flight() == 0


async def test_an_endpoint_that_left_takes_its_calls_to_the_end() -> None:
    """A swap while a call is under way does not disturb it, and its door closes after it."""
    rig = Rig(A)
    answered = await rig.dispatch.deliver(Asking(lambda _: Head()))
    rig.take(B)
    assert answered.attempt.door.gone
    answered.settle()
    assert answered.attempt.door.attempts == 0
    await rig.pool.aclose()
