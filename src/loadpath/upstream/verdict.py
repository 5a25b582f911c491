"""What the outcome of an attempt means: for its endpoint, and for the call. Pure.

Source: RFC 9110 section 9.2.2 (what may be repeated); Envoy's outlier detection (an answer of 5xx,
or none, counts against the endpoint; what never left us does not).
"""

from loadpath.balance.outlier import Failure
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.http.errors import (
    BodyLostError,
    ConnectError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)

SERVER_ERRORS = 500
GATEWAY_ERRORS = frozenset({502, 503, 504})
REPEATED_STATUSES = frozenset({502, 503, 504})
"""Answers that say that another endpoint may do better."""

_NO_ANSWER = (ConnectError, ResponseLostError, ResponseTimeoutError, BodyLostError)


def blame(error: BaseException) -> Failure | None:
    """Return what an error says against the endpoint, None when it says nothing."""
    if isinstance(error, _NO_ANSWER):
        return "local"
    return "error" if isinstance(error, ResponseInvalidError) else None


def blame_status(status: int) -> Failure | None:
    """Return what a status says against the endpoint, None when it says nothing."""
    if status < SERVER_ERRORS:
        return None
    return "gateway" if status in GATEWAY_ERRORS else "error"


def is_ours(error: BaseException) -> bool:
    """Return whether an error is one of the call, and not of the caller's own body or request."""
    return isinstance(error, RejectedError | InDoubtError)
