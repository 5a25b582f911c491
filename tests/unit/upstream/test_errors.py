"""What a caller is told: unavailable, in doubt or failed, late or not, and where it was tried."""

import pytest

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.http import (
    BodyLostError,
    BodyTimeoutError,
    ConnectError,
    ConnectTimeoutError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.upstream.errors import (
    ExtraMissingError,
    UpstreamFailedError,
    UpstreamFailedTimeoutError,
    UpstreamInDoubtError,
    UpstreamInDoubtTimeoutError,
    UpstreamUnavailableError,
    UpstreamUnavailableTimeoutError,
    body_error,
    call_error,
)

CASES = [
    (ConnectError("x"), False, UpstreamUnavailableError),
    (ConnectTimeoutError("x"), False, UpstreamUnavailableTimeoutError),
    (RejectedError("x", retry_after=2.0), False, UpstreamUnavailableError),
    (ConnectError("x"), True, UpstreamInDoubtError),
    (ConnectTimeoutError("x"), True, UpstreamInDoubtTimeoutError),
    (ResponseLostError("x"), True, UpstreamInDoubtError),
    (ResponseTimeoutError("x"), False, UpstreamInDoubtTimeoutError),
]


@pytest.mark.parametrize(("error", "sent", "kind"), CASES)
def test_a_failed_call(error: Exception, *, sent: bool, kind: type[Exception]) -> None:
    """The class says what is known, the fields where it was tried, the message both."""
    made = call_error(error, upstream="orders", endpoint="10.0.0.1:80", attempts=2, sent=sent)
    assert type(made) is kind
    assert (made.upstream, made.endpoint, made.attempts) == ("orders", "10.0.0.1:80", 2)
    assert "orders" in str(made)
    assert "10.0.0.1:80" in str(made)
    assert "tried 2 times" in str(made)
    assert isinstance(made, TimeoutError) == isinstance(error, TimeoutError)
    assert isinstance(made, RejectedError) != isinstance(made, InDoubtError)
    if isinstance(made, RejectedError) and isinstance(error, RejectedError):
        assert made.retry_after == error.retry_after


def test_a_call_that_was_not_tried() -> None:
    """Without an attempt there is no endpoint, and the message says so."""
    made = call_error(RejectedError("none"), upstream="u", endpoint=None, attempts=0, sent=False)
    assert str(made) == "u: not tried: none"
    assert made.endpoint is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BodyLostError("x"), UpstreamFailedError),
        (BodyTimeoutError("x"), UpstreamFailedTimeoutError),
    ],
)
def test_a_body_that_broke_off(error: Exception, kind: type[Exception]) -> None:
    """It is neither rejected nor in doubt: the head had come."""
    made = body_error(error, upstream="orders", endpoint="10.0.0.1:80", attempts=1)
    assert type(made) is kind
    assert isinstance(made, LoadpathError)
    assert isinstance(made, ConnectionError)
    assert not isinstance(made, RejectedError | InDoubtError)


def test_a_missing_extra_is_named() -> None:
    """The message is the command that helps."""
    error = ExtraMissingError("HttpxTransport", "httpx")
    assert error.extra == "httpx"
    assert isinstance(error, ImportError)
    assert "pip install 'loadpath[httpx]'" in str(error)
