"""A pick: the endpoint of one call, held until the call is finished, exactly once.

While it is held the call counts as in flight. Finishing again does nothing, leaving the `with`
block finishes, and a pick that is forgotten is cancelled when it is collected: counts cannot leak.
"""

from types import TracebackType
from typing import Protocol, Self

from loadpath.balance.endpoint import Endpoint
from loadpath.balance.member import Member
from loadpath.balance.outlier import Failure
from loadpath.core.errors import RejectedError

SERVER_ERRORS = 500
GATEWAY_ERRORS = frozenset({502, 503, 504})


class Outcomes(Protocol):
    """Learn how calls went."""

    def succeeded(self, member: Member, latency: float | None, started: float) -> None:
        """Learn that a call was answered; `latency` None: measured until now."""
        ...

    def failed(
        self, member: Member, failure: Failure, latency: float | None, started: float
    ) -> None:
        """Learn that a call failed; `latency` None: measured until now."""
        ...


class Pick:
    """Hold one call's place at an endpoint; made by `Balancer.pick`.

    As a context manager it finishes itself: an `OSError` (refused, reset, timed out) or an
    `EOFError` is a `local` failure, another `Exception` an `error`, a cancellation or a
    `RejectedError` neither, and no exception a success, unless it was finished inside.
    """

    __slots__ = ("_held", "_member", "_outcomes", "started")

    def __init__(self, member: Member, outcomes: Outcomes, started: float) -> None:
        self._member = member
        self._outcomes = outcomes
        self._held = True
        self.started = started
        member.active += 1
        member.tally.active += 1

    @property
    def endpoint(self) -> Endpoint:
        """Where the call goes."""
        return self._member.endpoint

    @property
    def finished(self) -> bool:
        """Whether the call is no longer in flight."""
        return not self._held

    def success(self, *, latency: float | None = None) -> None:
        """Finish: the call was answered.

        Args:
            latency: How long the endpoint took (s); None for the time since the pick.

        Raises:
            ValueError: `latency` is negative or infinite; the call is no longer in flight.
        """
        if self._let_go():
            self._outcomes.succeeded(self._member, latency, self.started)

    def failure(self, failure: Failure = "error", *, latency: float | None = None) -> None:
        """Finish: the call failed.

        Args:
            failure: Where the failure came from.
            latency: How long the endpoint took (s); None for the time since the pick.

        Raises:
            ValueError: There is no such failure, or `latency` is negative or infinite; the call is
                no longer in flight.
        """
        if self._let_go():
            self._outcomes.failed(self._member, failure, latency, self.started)

    def answered(self, status: int, *, latency: float | None = None) -> None:
        """Finish by an HTTP status: 500 and above is a failure.

        Args:
            status: Status code of the answer.
            latency: How long the endpoint took (s); None for the time since the pick.
        """
        if status < SERVER_ERRORS:
            self.success(latency=latency)
        else:
            self.failure("gateway" if status in GATEWAY_ERRORS else "error", latency=latency)

    def cancel(self) -> None:
        """Finish: given up, which says nothing about the endpoint."""
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.success()
        elif isinstance(error, RejectedError) or not isinstance(error, Exception):
            self.cancel()
        else:
            self.failure("local" if isinstance(error, OSError | EOFError) else "error")

    def __del__(self) -> None:
        if self._held:
            self._let_go()

    def _let_go(self) -> bool:
        """Return whether it was still held."""
        if not self._held:
            return False
        self._held = False
        member = self._member
        member.active -= 1
        member.tally.active -= 1
        return True
