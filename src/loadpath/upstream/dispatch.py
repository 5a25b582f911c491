"""The way of a call: pick, breaker, attempt, and on failure the next endpoint, within a budget.

A call is repeated only before its caller has seen anything of an answer, and only when that is
safe: nothing was sent, or it may happen twice. What sent nothing goes on to an endpoint that was
not tried yet at once; everything else waits by the policy. `Retry-After` binds the endpoint that
said it, so it is waited for only where no other one is left.
"""

import asyncio
from math import inf
from random import Random
from typing import Generic

from loadpath.balance import Balancer, Endpoint, NoEndpointError
from loadpath.core.clock import Clock
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.core.ports import Events
from loadpath.http import ConnectionPool
from loadpath.resilience import (
    BreakerOpen,
    DeadlinePassed,
    GaveUp,
    GiveUp,
    Hedge,
    Place,
    RetryBudget,
    Retrying,
    RetryPolicy,
)
from loadpath.upstream.attempt import Attempt
from loadpath.upstream.call import Call, T
from loadpath.upstream.doors import Doors
from loadpath.upstream.errors import call_error
from loadpath.upstream.events import AttemptFailed
from loadpath.upstream.verdict import REPEATED_STATUSES, is_ours

_NOBODY = (NoEndpointError, BreakerOpen, DeadlinePassed)


class Answered(Generic[T]):
    """Hold an answer whose head has come, and the attempt that brought it.

    Attributes:
        attempt: Settled when the answer is whole, or nobody wants the rest.
        answer: The answer.
        place: Place in the bulkhead, None without one; left when the attempt is settled.
    """

    __slots__ = ("answer", "attempt", "place")

    def __init__(self, attempt: Attempt, answer: T) -> None:
        self.attempt = attempt
        self.answer = answer
        self.place: Place | None = None

    def __repr__(self) -> str:
        return f"answered {self.answer.status}"

    def settle(self) -> None:
        """Let go of the endpoint and the place: the answer's status says how it went."""
        self.attempt.answered()
        if self.place is not None:
            self.place.leave()

    def drop(self) -> None:
        """Give the answer up; its status still says how the attempt went."""
        self.settle()
        self.answer.close()


class _NotGoodEnough(Exception):
    """Let a hedge wait for the other attempt, although this one was answered."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")


class Tally:
    """Count calls, attempts, and calls that were repeated or failed in the end."""

    __slots__ = ("attempts", "calls", "failed", "repeated")

    def __init__(self) -> None:
        self.calls = self.attempts = self.repeated = self.failed = 0


class Dispatch:
    """Bring calls to endpoints.

    Args:
        name: What errors and events call the upstream.
        balancer: Who picks.
        doors: The endpoints of its set.
        pool: Whose connections are closed when an endpoint leaves.
        retry: How often and how soon a call is repeated.
        budget: Share of the calls that may be repeated, None for no bound.
        hedge: Sends late calls once more, None never.
        events: Who hears what happens.
        clock: Where the monotonic time comes from.
        random: Where chance comes from.

    Attributes:
        name: What errors and events call the upstream.
        tally: Figures since the start.
    """

    __slots__ = (
        "_balancer",
        "_budget",
        "_clock",
        "_doors",
        "_events",
        "_hedge",
        "_now",
        "_pool",
        "_random",
        "_retry",
        "name",
        "tally",
    )

    def __init__(
        self,
        name: str,
        *,
        balancer: Balancer,
        doors: Doors,
        pool: ConnectionPool,
        retry: RetryPolicy,
        budget: RetryBudget | None,
        hedge: Hedge | None,
        events: Events | None,
        clock: Clock,
        random: Random,
    ) -> None:
        self.name = name
        self.tally = Tally()
        self._balancer = balancer
        self._doors = doors
        self._pool = pool
        self._retry = retry
        self._budget = budget
        self._hedge = hedge
        self._events = events
        self._clock = clock
        self._now = clock.monotonic
        self._random = random

    async def deliver(self, call: Call[T]) -> Answered[T]:
        """Return the answer that the caller gets, its body still to come.

        Raises:
            UpstreamError: There is none.
        """
        self.tally.calls += 1
        if self._budget is not None:
            self._budget.earn(self._now())
        held: Answered[T] | None = None
        wait: float | None = None
        try:
            while True:
                outcome = await self._outcome(call)
                if isinstance(outcome, Answered):
                    if not _is_refusal(call, outcome):
                        _drop(held)
                        return outcome
                    _drop(held)
                    held = _hold(call, outcome)
                wait = self._next_wait(call, outcome, previous=wait)
                if wait is None:
                    return self._last(call, outcome, held)
                if wait:
                    await asyncio.sleep(wait)
        except BaseException:
            self.tally.failed += 1
            _drop(held)
            raise

    async def _outcome(self, call: Call[T]) -> "Answered[T] | Exception":
        """Return how a try went, the errors of the call included."""
        try:
            if self._hedge is not None and call.repeatable:
                return await self._hedged(self._hedge, call)
            return await self._attempt(call)
        except Exception as error:
            if not is_ours(error):
                raise
            return error

    async def _attempt(self, call: Call[T]) -> Answered[T]:
        """Ask one endpoint."""
        remaining = call.deadline
        if remaining < inf:
            remaining -= self._now()
            if remaining <= 0:
                raise DeadlinePassed
        attempt = self._begin(call)
        try:
            answer = await call.carry(attempt.door, remaining)
        except BaseException as error:
            attempt.failed(error)
            self._note_failure(call, attempt, error)
            raise
        attempt.head(answer.status)
        return Answered(attempt, answer)

    async def _hedged(self, hedge: Hedge, call: Call[T]) -> Answered[T]:
        """Ask one endpoint, and another one when the first is late."""
        answers: list[Answered[T]] = []

        async def once() -> Answered[T]:
            answered = await self._attempt(call)
            answers.append(answered)
            if _is_refusal(call, answered):
                raise _NotGoodEnough(answered.answer.status)
            return answered

        winner: Answered[T] | None = None
        try:
            winner = await hedge.call(once)
        except _NotGoodEnough:  # no attempt has a better one
            winner = answers[0]
        finally:
            for each in answers:
                if each is not winner:
                    each.drop()
        return winner

    # Who is asked.

    def _begin(self, call: Call[T]) -> Attempt:
        """Take a pick and a breaker's ticket, of an endpoint that was not tried if there is one.

        Raises:
            NoEndpointError: No endpoint may serve.
            BreakerOpen: Every breaker is shut.
        """
        now = self._now()
        shut = self._doors.shut(now)
        avoid = [*call.tried, *shut]
        while True:
            pick = self._balancer.pick(key=call.key, cookie=call.cookie, exclude=avoid)
            door = self._doors.of(pick.endpoint)
            try:
                ticket = 0 if door.breaker is None else door.breaker.enter(now)
            except BreakerOpen:
                pick.cancel()
                if door.endpoint not in shut:  # all its trial calls are under way
                    shut.append(door.endpoint)
                    avoid = [*call.tried, *shut]
                elif len(avoid) > len(shut):  # rather one that was tried than none
                    avoid = shut
                else:
                    raise
            else:
                call.try_at(door)
                self.tally.attempts += 1
                return Attempt(door, pick, ticket, clock=self._clock, pool=self._pool)

    def _another_is_left(self, call: Call[T]) -> bool:
        """Return whether an endpoint that was not tried yet would be asked next."""
        avoid: list[Endpoint] = [*call.tried, *self._doors.shut(self._now())]
        try:
            pick = self._balancer.pick(key=call.key, cookie=call.cookie, exclude=avoid)
        except NoEndpointError:
            return False
        pick.cancel()
        return pick.endpoint not in avoid

    # What follows.

    def _note_failure(self, call: Call[T], attempt: Attempt, error: BaseException) -> None:
        if call.begun or isinstance(error, InDoubtError):
            call.sent = True
        if self._events is not None and isinstance(error, Exception):
            self._events.emit(
                AttemptFailed(
                    upstream=self.name,
                    endpoint=attempt.door.address,
                    attempt=call.attempts,
                    reason=str(error),
                )
            )

    def _next_wait(
        self, call: Call[T], outcome: "Answered[T] | Exception", *, previous: float | None
    ) -> float | None:
        """Return the wait before the next attempt (s), None for none; tells who listens."""
        verdict = self._verdict(call, outcome, previous=previous)
        tried, cause = call.attempts, ""
        if self._events is not None:
            cause = repr(outcome)
        if isinstance(verdict, GiveUp):
            if self._events is not None:
                self._events.emit(GaveUp(name=self.name, tried=tried, why=verdict, cause=cause))
            return None
        self.tally.repeated += 1
        if self._events is not None:
            self._events.emit(Retrying(name=self.name, tried=tried, wait=verdict, cause=cause))
        return verdict

    def _verdict(
        self, call: Call[T], outcome: "Answered[T] | Exception", *, previous: float | None
    ) -> float | GiveUp:
        if isinstance(outcome, _NOBODY):
            return GiveUp.LASTING
        another, now = self._another_is_left(call), self._now()
        wait = self._retry.next_wait(
            call.attempts,
            safe=not call.begun and (call.repeatable or isinstance(outcome, RejectedError)),
            retry_after=None if another else _asked_wait(call, outcome),
            remaining=call.deadline - now,
            random=self._random,
            previous=previous,
        )
        if isinstance(wait, GiveUp):
            return wait
        if self._budget is not None and not self._budget.spend(now):
            return GiveUp.BUDGET
        return 0.0 if another and isinstance(outcome, RejectedError) else wait

    def _last(
        self, call: Call[T], outcome: "Answered[T] | Exception", held: Answered[T] | None
    ) -> Answered[T]:
        """Return the last answer there was, else raise what the caller is told."""
        if held is not None:
            return held
        assert isinstance(outcome, Exception)
        raise call_error(
            outcome,
            upstream=self.name,
            endpoint=call.address,
            attempts=call.attempts,
            sent=call.sent,
        ) from outcome


def _is_refusal(call: Call[T], answered: Answered[T]) -> bool:
    """Return whether another endpoint may do better, and may be asked."""
    return answered.answer.status in REPEATED_STATUSES and call.repeatable


def _hold(call: Call[T], answered: Answered[T]) -> Answered[T]:
    """Keep an answer in case that no better one comes; what it says of its endpoint is told."""
    answered.attempt.answered()
    call.sent = True
    return answered


def _drop(held: Answered[T] | None) -> None:
    if held is not None:
        held.drop()


def _asked_wait(call: Call[T], outcome: "Answered[T] | Exception") -> float | None:
    if isinstance(outcome, Answered):
        return call.retry_after(outcome.answer)
    return outcome.retry_after if isinstance(outcome, RejectedError) else None
