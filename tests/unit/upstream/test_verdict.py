"""What an outcome says about its endpoint, and whether it is one of the call at all."""

import pytest

from loadpath.http import (
    BodyLostError,
    ConnectError,
    ConnectTimeoutError,
    PoolFullError,
    PoolTimeoutError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.upstream.verdict import blame, blame_status, is_ours

BLAMED = [
    (ConnectError("x"), "local"),
    (ConnectTimeoutError("x"), "local"),
    (ResponseLostError("x"), "local"),
    (ResponseTimeoutError("x"), "local"),
    (BodyLostError("x"), "local"),
    (ResponseInvalidError("x"), "error"),
    (PoolFullError("x"), None),
    (PoolTimeoutError("x"), None),
    (ZeroDivisionError(), None),
    (KeyboardInterrupt(), None),
]


@pytest.mark.parametrize(("error", "blamed"), BLAMED)
def test_an_error_blames_its_endpoint_or_nobody(error: BaseException, blamed: str | None) -> None:
    """No answer and a wrong answer count; what is ours, or the caller's, does not."""
    assert blame(error) == blamed


def test_a_status_blames_from_500_on() -> None:
    """Below 500 the endpoint did its work; 502 to 504 come from what stands before it."""
    for status in range(100, 600):
        blamed = blame_status(status)
        assert (blamed is None) == (status < 500)
        assert (blamed == "gateway") == (status in {502, 503, 504})


def test_only_what_a_call_raises_is_ours() -> None:
    """Rejected and in doubt are the call's; everything else is raised as it is."""
    assert is_ours(ConnectError("x"))
    assert is_ours(ResponseInvalidError("x"))
    assert not is_ours(ValueError("x"))
    assert not is_ours(BodyLostError("x"))
