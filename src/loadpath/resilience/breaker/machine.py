"""When to stop calling a dependency, and when to try it again. Pure: time is an argument.

Closed, every call passes and its outcome is counted in a sliding window; when too large a share
failed, or was slow, the breaker opens. Open, calls are refused until the wait is over. Half open, a
bounded number of calls is let through, each under a permit; when all of them are answered, their
shares decide whether it closes or opens again.

A call holds a ticket, and only the ticket's own period counts it: what ends after the breaker has
changed says nothing about the new state. A permit that is not returned in time counts as failed.

Source: M. Nygard, "Release It!" (2007); resilience4j's sliding windows, slow calls and states.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

import msgspec

from loadpath.core.errors import RejectedError
from loadpath.core.ports import Events
from loadpath.core.rolling import CountWindow, TimeWindow

State = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]
"""What a breaker does with calls.

- `closed`: all pass and count.
- `open`: none passes until the wait is over.
- `half_open`: a few pass, on trial.
- `forced_open`: none passes until it is switched by hand.
- `disabled`: all pass, none counts.
- `metrics_only`: all pass and count, and it never opens.
"""

_FAILED, _SLOW = 1, 2
_OUTCOMES = 4
_NEVER_COUNTED = -1
"""The ticket of a call that does not count."""


@dataclass(frozen=True, slots=True)
class LastCalls:
    """Look at the last `size` calls.

    Attributes:
        size: How many.
    """

    size: int = 100

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, not {self.size}")


@dataclass(frozen=True, slots=True)
class LastSeconds:
    """Look at the calls that ended in the last `seconds`.

    Attributes:
        seconds: How far back (s).
        buckets: Parts in which it is forgotten.
    """

    seconds: float = 10.0
    buckets: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.seconds < inf or self.buckets < 1:
            raise ValueError(f"seconds must be above 0 and finite, buckets at least 1: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Say when a breaker opens and how it recovers.

    Attributes:
        window: Which calls it looks at.
        failure_rate: Share of failed calls that opens it, above 0 up to 1.
        slow_rate: Share of slow calls that opens it, above 0 up to 1.
        slow_after: A call that takes this long is slow (s).
        minimum_calls: Calls that the window must hold before a share means anything.
        open_for: Wait before it is tried again (s).
        half_open_calls: Calls that are let through on trial.
        half_open_wait: A trial call without an answer for this long counts as failed (s).
    """

    window: LastSeconds | LastCalls = field(default_factory=LastSeconds)
    failure_rate: float = 0.5
    slow_rate: float = 1.0
    slow_after: float = 60.0
    minimum_calls: int = 5
    open_for: float = 60.0
    half_open_calls: int = 3
    half_open_wait: float = 60.0

    def __post_init__(self) -> None:
        for name in ("failure_rate", "slow_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 up to 1, not {getattr(self, name)}")
        for name in ("slow_after", "open_for", "half_open_wait"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0 s, not {getattr(self, name)}")
        for name in ("minimum_calls", "half_open_calls"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if isinstance(self.window, LastCalls) and self.minimum_calls > self.window.size:
            raise ValueError(
                f"minimum_calls {self.minimum_calls} must fit into the window of "
                f"{self.window.size} calls, or it never opens"
            )


class BreakerOpen(RejectedError, ConnectionError):
    """Refuse a call because the dependency is not well; nothing was tried.

    Attributes:
        name: The breaker.
        state: Why: `open`, `half_open` (all trial calls are under way) or `forced_open`.
        retry_after: Seconds until a call may pass; None when unknown.
    """

    def __init__(self, name: str, state: State, retry_after: float | None) -> None:
        when = "later" if retry_after is None else f"in {retry_after:.3f} s"
        super().__init__(f"{name} is {state}; retry {when}", retry_after=retry_after)
        self.name = name
        self.state = state


class BreakerChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a breaker changed.

    Attributes:
        name: The breaker.
        before: State that it left.
        after: State that it entered.
        calls: Calls that were looked at.
        failed: How many of them failed.
        slow: How many of them were slow.
    """

    name: str
    before: State
    after: State
    calls: int
    failed: int
    slow: int


class BreakerRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a breaker refused a call.

    Attributes:
        name: The breaker.
        state: Its state.
        retry_after: Seconds until a call may pass; None when unknown.
    """

    name: str
    state: State
    retry_after: float | None


class BreakerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a breaker's figures.

    Attributes:
        name: The breaker.
        state: Its state; `open` stays until a call finds the wait over.
        calls: Calls in the window, of the trial when half open.
        failed: How many of them failed.
        slow: How many of them were slow.
        permits: Trial calls under way.
        rejected: Calls refused since the start.
        opened: How often it opened since the start.
    """

    name: str
    state: State
    calls: int
    failed: int
    slow: int
    permits: int
    rejected: int
    opened: int


class BreakerMachine:
    """Decide for one dependency. One event loop's: it takes no lock.

    Args:
        name: What errors and events call it.
        policy: When it opens and how it recovers.
        events: Who hears of changes and refusals.
    """

    __slots__ = (
        "_counted",
        "_counts",
        "_events",
        "_generation",
        "_left",
        "_opened",
        "_passing",
        "_permits",
        "_record",
        "_rejected",
        "_since",
        "_slow_after",
        "_state",
        "_ticket",
        "_trial",
        "_window",
        "name",
        "policy",
    )

    def __init__(
        self, name: str, policy: BreakerPolicy | None = None, *, events: Events | None = None
    ) -> None:
        self.name = name
        self.policy = policy or BreakerPolicy()
        self._events = events
        self._window, self._record, self._counts = _window(self.policy.window)
        self._slow_after = self.policy.slow_after
        self._permits: dict[int, float] = {}
        self._trial = [0] * _OUTCOMES
        self._left = self._rejected = self._opened = self._generation = 0
        self._state: State = "closed"
        self._since = 0.0
        self._passing = True
        self._ticket = self._counted = 0

    @property
    def state(self) -> State:
        """State since the last call or switch; the passing of time alone changes nothing."""
        return self._state

    def would_pass(self, now: float) -> bool:
        """Return whether a call at `now` (s) is worth an `enter`, without taking a permit.

        True may still be refused: only `enter` counts the trial calls that are overdue.
        """
        if self._state == "open":
            return not 0 <= now - self._since < self.policy.open_for
        if self._state == "half_open":
            wait = self.policy.half_open_wait
            return self._left > 0 or any(now - since >= wait for since in self._permits.values())
        return self._passing

    def enter(self, now: float) -> int:
        """Let one call through at `now` (s).

        Returns:
            Its ticket, for exactly one of `succeed`, `fail`, `give_up` and `release`.

        Raises:
            BreakerOpen: The call must not be tried now.
        """
        return self._ticket if self._passing else self._admit(now)

    def succeed(self, ticket: int, started: float, now: float) -> None:
        """Learn that the call, which began at `started`, succeeded at `now` (s)."""
        outcome = _SLOW if now - started >= self._slow_after else 0
        if ticket == self._counted:
            self._record(outcome, now)
            if outcome:
                self._judge(now)
        elif ticket in self._permits:
            self._try(ticket, outcome, now)

    def fail(self, ticket: int, started: float, now: float) -> None:
        """Learn that the call, which began at `started`, failed at `now` (s)."""
        outcome = _SLOW | _FAILED if now - started >= self._slow_after else _FAILED
        if ticket == self._counted:
            self._record(outcome, now)
            self._judge(now)
        elif ticket in self._permits:
            self._try(ticket, outcome, now)

    def give_up(self, ticket: int, started: float, now: float) -> None:
        """Learn that the caller gave up at `now` (s): slow when it had waited for that long.

        A shorter wait says nothing, and the call's place is free again.
        """
        if now - started >= self._slow_after:
            self.succeed(ticket, started, now)
        else:
            self.release(ticket)

    def release(self, ticket: int) -> None:
        """Learn that the call says nothing about the dependency; its place is free again."""
        if self._permits.pop(ticket, None) is not None:
            self._left += 1

    def switch(self, state: State, now: float) -> None:
        """Enter a state by hand; the window starts again.

        Raises:
            ValueError: There is no such state.
        """
        if state not in get_args(State):
            raise ValueError(f"state must be one of {get_args(State)}, not {state!r}")
        self._change(state, now, since=now)

    def snapshot(self, now: float) -> BreakerSnapshot:
        """Return the figures of `now` (s)."""
        calls, failed, slow = self._shares(now)
        return BreakerSnapshot(
            name=self.name,
            state=self._state,
            calls=calls,
            failed=failed,
            slow=slow,
            permits=len(self._permits),
            rejected=self._rejected,
            opened=self._opened,
        )

    def _admit(self, now: float) -> int:
        """Give out a permit, after whatever the passing of time has changed."""
        if self._state == "half_open":
            self._expire(now)
        if self._state == "open":
            self._end_wait(now)
        if self._passing:
            return self._ticket
        if not self._left:
            raise self._rejection(now)
        self._left -= 1
        self._generation += 1
        self._permits[self._generation] = now
        return self._generation

    def _shares(self, now: float) -> tuple[int, int, int]:
        counts = self._trial if self._state == "half_open" else self._counts(now)
        fine, failed, slow, both = counts
        return fine + failed + slow + both, failed + both, slow + both

    def _too_many(self, now: float, minimum: int) -> bool:
        calls, failed, slow = self._shares(now)
        policy = self.policy
        return calls >= minimum and (
            failed / calls >= policy.failure_rate or slow / calls >= policy.slow_rate
        )

    def _judge(self, now: float) -> None:
        if self._state == "closed" and self._too_many(now, self.policy.minimum_calls):
            self._change("open", now, since=now)

    def _try(self, ticket: int, outcome: int, now: float) -> None:
        """Count a trial call, and decide when it was the last one."""
        self._expire(now)
        if self._permits.pop(ticket, None) is not None:
            self._trial[outcome] += 1
            self._decide(now, at=now)

    def _expire(self, now: float) -> None:
        """Count permits that were not returned in time as failed and slow."""
        wait = self.policy.half_open_wait
        for ticket, since in list(self._permits.items()):
            if now - since >= wait:
                del self._permits[ticket]
                self._trial[_FAILED | _SLOW] += 1
                self._decide(now, at=since + wait)
            elif now < since:  # the clock stepped back: the wait begins again
                self._permits[ticket] = now

    def _decide(self, now: float, *, at: float) -> None:
        calls = self.policy.half_open_calls
        if self._state == "half_open" and sum(self._trial) == calls:
            self._change("open" if self._too_many(now, calls) else "closed", now, since=at)

    def _end_wait(self, now: float) -> None:
        """Begin the trial when the wait is over."""
        self._since = min(self._since, now)  # the clock stepped back: the wait begins again
        if now - self._since >= self.policy.open_for:
            self._change("half_open", now, since=now)

    def _change(self, state: State, now: float, *, since: float) -> None:
        before, (calls, failed, slow) = self._state, self._shares(now)
        self._state, self._since = state, since
        self._generation += 1
        self._passing = state in {"closed", "disabled", "metrics_only"}
        self._ticket = _NEVER_COUNTED if state == "disabled" else self._generation
        self._counted = self._generation
        self._permits.clear()
        self._trial = [0] * _OUTCOMES
        self._left = self.policy.half_open_calls if state == "half_open" else 0
        self._opened += state == "open"
        if state != "open":  # open keeps the figures that opened it
            self._window.clear()
        if self._events is not None and state != before:
            self._events.emit(
                BreakerChanged(
                    name=self.name,
                    before=before,
                    after=state,
                    calls=calls,
                    failed=failed,
                    slow=slow,
                )
            )

    def _rejection(self, now: float) -> BreakerOpen:
        self._rejected += 1
        wait = None
        if self._state == "open":
            wait = max(0.0, self._since + self.policy.open_for - now)
        if self._events is not None:
            self._events.emit(BreakerRejected(name=self.name, state=self._state, retry_after=wait))
        return BreakerOpen(self.name, self._state, wait)


def _window(
    window: LastSeconds | LastCalls,
) -> tuple[
    CountWindow | TimeWindow,
    Callable[[int, float], None],
    Callable[[float], tuple[int, ...]],
]:
    """Return a window, how to record an outcome at a time, and how to read it at a time."""
    if isinstance(window, LastSeconds):
        timed = TimeWindow(window.seconds, buckets=window.buckets, outcomes=_OUTCOMES)
        return timed, timed.record, timed.counts
    counted = CountWindow(window.size, outcomes=_OUTCOMES)
    return counted, lambda outcome, _: counted.record(outcome), lambda _: counted.counts()
