"""Tell a call that was stopped because its time was over from one that nobody wants any more.

Both end by a cancellation. Where the deadline of the call has passed, the dependency did not answer
in time, and that is told about it, as Envoy's outlier detection does on a route's timeout.
"""

from asyncio import CancelledError
from collections.abc import Callable
from contextvars import ContextVar, Token

from loadpath.resilience.deadline import current_at

_TIMER_STEP = 0.001
"""Seconds that an event loop's timer may be early."""


def ran_out_of_time(error: BaseException, now: float) -> bool:
    """Return whether `error` is a cancellation at the current deadline (`now` in monotonic s)."""
    return isinstance(error, CancelledError) and current_at() - now < _TIMER_STEP


def watch(is_cause: Callable[[], bool]) -> "Token[Callable[[], bool]]":
    """Let `by_deadline` ask the timeout that begins here; `unwatch` undoes it."""
    return _is_cause.set(is_cause)


def unwatch(token: "Token[Callable[[], bool]]") -> None:
    """Let `by_deadline` ask whoever it did before."""
    _is_cause.reset(token)


def by_deadline() -> bool:
    """Return whether the present cancellation is that of the timeout around, and nobody else's.

    It then need not be passed on: the timeout takes back its cancellation on leaving.
    """
    return _is_cause.get()()


def _never() -> bool:
    return False


_is_cause: ContextVar[Callable[[], bool]] = ContextVar("loadpath_timeout", default=_never)
