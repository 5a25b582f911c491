"""Every error has the right status, and says no more than a client may know."""

import json

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.gateway.passing.problems import GatewayError, problem, problem_of
from loadpath.http import ProtocolError
from loadpath.resilience import RateLimited
from loadpath.upstream import (
    UpstreamFailedError,
    UpstreamInDoubtError,
    UpstreamInDoubtTimeoutError,
    UpstreamUnavailableError,
    UpstreamUnavailableTimeoutError,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamUnavailableError("secret"), 503),
        (UpstreamUnavailableTimeoutError("secret"), 503),
        (UpstreamInDoubtError("secret"), 502),
        (UpstreamInDoubtTimeoutError("secret"), 504),
        (UpstreamFailedError("secret"), 502),
        (InDoubtError("secret"), 502),
        (RejectedError("secret"), 503),
        (ProtocolError("told", status=431), 431),
        (GatewayError(404, "told"), 404),
        (ZeroDivisionError("secret"), 500),
    ],
)
def test_status(error: Exception, status: int) -> None:
    """With an RFC 9457 document that names no endpoint and no exception."""
    reply = problem_of(error, request_id="r1")
    assert reply.head.status == status
    assert (b"Content-Type", b"application/problem+json") in reply.head.fields
    document = json.loads(bytes(reply.body))  # type: ignore[arg-type]
    assert document["status"] == status
    assert document["request_id"] == "r1"
    assert "secret" not in document["detail"]
    assert (b"Retry-After" in dict(reply.head.fields)) is (status == 503)


def test_retry_after_is_rounded_up() -> None:
    """Too early would be refused again."""
    reply = problem_of(UpstreamUnavailableError("x", retry_after=2.1))
    assert (b"Retry-After", b"3") in reply.head.fields
    reply = problem_of(UpstreamUnavailableError("x", retry_after=0.0))
    assert (b"Retry-After", b"1") in reply.head.fields


def test_fields_of_a_refusal_go_along() -> None:
    """As `Allow` of a 405."""
    reply = problem_of(GatewayError(405, "no", fields=((b"Allow", b"GET"),)))
    assert (b"Allow", b"GET") in reply.head.fields
    assert problem(404, "x").head.length == len(bytes(problem(404, "x").body))  # type: ignore[arg-type]


def test_limited_is_429() -> None:
    """A client that comes too often is told so, and not that the service is down."""
    assert problem_of(RateLimited(1.5)).head.status == 429
