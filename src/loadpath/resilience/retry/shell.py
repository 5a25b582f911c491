"""Repeat a call: `await retry.call(…)` or `@retry`."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec

from loadpath.core.clock import Clock, SystemClock
from loadpath.core.ports import Events
from loadpath.resilience.budget import RetryBudget
from loadpath.resilience.deadline import current_at
from loadpath.resilience.filters import ErrorFilter, error_test
from loadpath.resilience.retry.policy import TRANSIENT, GiveUp, RetryPolicy, asked_wait, is_safe
from loadpath.resilience.stage import P, Stage, T


class Retrying(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a call will be repeated.

    Attributes:
        name: The retry.
        tried: How often the call was tried so far.
        wait: Seconds until the next try.
        cause: What happened, as text.
    """

    name: str
    tried: int
    wait: float
    cause: str


class GaveUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a failed call will not be repeated.

    Attributes:
        name: The retry.
        tried: How often the call was tried.
        why: Why not again.
        cause: What happened, as text.
    """

    name: str
    tried: int
    why: GiveUp
    cause: str


class RetrySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        name: The retry.
        calls: Calls.
        repeated: Repetitions.
        gave_up: Calls that failed in the end.
    """

    name: str
    calls: int
    repeated: int
    gave_up: int


class Retry(Stage):
    """Repeat a call that failed, when that is safe and may help.

    `RejectedError` is always safe to repeat: nothing was tried. Anything else, `InDoubtError`
    above all, is repeated only when the caller says `idempotent=True`. When it is given up, the
    last error is raised (the last result returned) as it is.

    Args:
        name: What events and figures call it.
        policy: How often and how soon.
        idempotent: Whether the calls may happen twice.
        errors: Errors that a repetition may help against.
        failed_result: Tells whether a result is a failure too; None: no result is. A wait asked
            for is read from its `retry_after` (s), as from an error's.
        budget: Share of all calls that may be repeated, perhaps of several retries together.
        events: Who hears `Retrying` and `GaveUp`.
        clock: Where the monotonic time comes from.
        random: Where chance comes from.
    """

    __slots__ = (
        "_budget",
        "_calls",
        "_errors",
        "_events",
        "_failed_result",
        "_gave_up",
        "_idempotent",
        "_now",
        "_policy",
        "_random",
        "_repeated",
        "name",
    )

    def __init__(
        self,
        name: str = "retry",
        policy: RetryPolicy | None = None,
        *,
        idempotent: bool = False,
        errors: ErrorFilter = TRANSIENT,
        failed_result: Callable[[Any], bool] | None = None,
        budget: RetryBudget | None = None,
        events: Events | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        self.name = name
        self._policy = policy or RetryPolicy()
        self._idempotent = idempotent
        self._errors = error_test(errors, "errors")
        self._failed_result = failed_result
        self._budget = budget
        self._events = events
        self._now = (clock or SystemClock()).monotonic
        self._random = random or Random()  # noqa: S311 - jitter is no secret
        self._calls = self._repeated = self._gave_up = 0

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns in the end.

        Raises:
            Exception: What the last try raised.
        """
        self._calls += 1
        if self._budget is not None:
            self._budget.earn(self._now())
        tried, wait = 1, None
        while True:
            try:
                result = await function(*args, **kwargs)
                if self._failed_result is None or not self._failed_result(result):
                    return result
            except Exception as error:
                wait = self._next_wait(tried, error, previous=wait)
                if wait is None:
                    raise
            else:
                wait = self._next_wait(tried, None, result, previous=wait)
                if wait is None:
                    return result
            await asyncio.sleep(wait)
            tried += 1

    def snapshot(self) -> RetrySnapshot:
        """Return the figures of this moment."""
        return RetrySnapshot(
            name=self.name, calls=self._calls, repeated=self._repeated, gave_up=self._gave_up
        )

    def _next_wait(
        self, tried: int, error: Exception | None, result: object = None, *, previous: float | None
    ) -> float | None:
        """Return the wait before the next try (s), None when there is none; tells who listens."""
        verdict = self._verdict(tried, error, result, previous=previous)
        cause = repr(error if error is not None else result) if self._events is not None else ""
        if isinstance(verdict, GiveUp):
            self._gave_up += 1
            if self._events is not None:
                self._events.emit(GaveUp(name=self.name, tried=tried, why=verdict, cause=cause))
            return None
        self._repeated += 1
        if self._events is not None:
            self._events.emit(Retrying(name=self.name, tried=tried, wait=verdict, cause=cause))
        return verdict

    def _verdict(
        self, tried: int, error: Exception | None, result: object, *, previous: float | None
    ) -> float | GiveUp:
        if error is not None and not self._errors(error):
            return GiveUp.LASTING
        now = self._now()
        wait = self._policy.next_wait(
            tried,
            safe=is_safe(error, idempotent=self._idempotent),
            retry_after=asked_wait(error if error is not None else result),
            remaining=current_at() - now,
            random=self._random,
            previous=previous,
        )
        if isinstance(wait, GiveUp) or self._budget is None or self._budget.spend(now):
            return wait
        return GiveUp.BUDGET
