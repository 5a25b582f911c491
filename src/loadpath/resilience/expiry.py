"""Tell a call that was stopped because its time was over from one that nobody wants any more.

Both end by a cancellation. Where the deadline of the call has passed, the dependency did not answer
in time, and that is told about it, as Envoy's outlier detection does on a route's timeout.
"""

from asyncio import CancelledError

from loadpath.resilience.deadline import current_at

_TIMER_STEP = 0.001
"""Seconds that an event loop's timer may be early."""


def ran_out_of_time(error: BaseException, now: float) -> bool:
    """Return whether `error` is a cancellation at the current deadline (`now` in monotonic s)."""
    return isinstance(error, CancelledError) and current_at() - now < _TIMER_STEP
