"""Our errors by the names that httpx has for them; what is not safe is never called safe."""

from ssl import SSLError

import httpx
import httpx2
import pytest

from loadpath.core.errors import LoadpathError, RejectedError
from loadpath.http import (
    BodyLostError,
    BodyTimeoutError,
    ConnectError,
    ConnectTimeoutError,
    PoolClosedError,
    PoolFullError,
    PoolTimeoutError,
    ProtocolError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.resilience import BulkheadFull, DeadlinePassed
from loadpath.upstream.adapters.translation import httpx_name
from loadpath.upstream.errors import body_error, call_error

NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout"}


def caused(error: Exception, cause: Exception | None) -> Exception:
    """Return an error with a cause."""
    error.__cause__ = cause
    return error


PLAIN = [
    (ConnectError("x"), "ConnectError"),
    (ConnectTimeoutError("x"), "ConnectTimeout"),
    (PoolTimeoutError("x"), "PoolTimeout"),
    (PoolFullError("x"), "PoolTimeout"),
    (PoolClosedError("x"), "ConnectError"),
    (BulkheadFull("b", "x"), "PoolTimeout"),
    (DeadlinePassed(), "ConnectTimeout"),
    (ResponseTimeoutError("x"), "ReadTimeout"),
    (ResponseLostError("x"), "RemoteProtocolError"),
    (caused(ResponseLostError("x"), ConnectionResetError()), "ReadError"),
    (caused(ResponseLostError("x"), SSLError()), "ReadError"),
    (ResponseInvalidError("x"), "RemoteProtocolError"),
    (BodyLostError("x"), "RemoteProtocolError"),
    (caused(BodyLostError("x"), ProtocolError("x")), "RemoteProtocolError"),
    (caused(BodyLostError("x"), ConnectionResetError()), "ReadError"),
    (BodyTimeoutError("x"), "ReadTimeout"),
    (ValueError("x"), "LocalProtocolError"),
]


@pytest.mark.parametrize(("error", "name"), PLAIN)
def test_names(error: Exception, name: str) -> None:
    """Each name is a class of both; what comes through an upstream has the same one."""
    assert httpx_name(error) == name
    assert issubclass(getattr(httpx, name), httpx.TransportError)
    assert issubclass(getattr(httpx2, name), httpx2.TransportError)
    if isinstance(error, LoadpathError):
        about = {"upstream": "orders", "endpoint": "a:1", "attempts": 1}
        if isinstance(error, BodyLostError):
            outer: Exception = body_error(error, **about)  # type: ignore[arg-type] # as named
        else:
            outer = call_error(error, sent=False, **about)  # type: ignore[arg-type] # as named
        assert httpx_name(caused(outer, error)) == name


@pytest.mark.parametrize("error", [ConnectError("x"), ConnectTimeoutError("x"), DeadlinePassed()])
def test_refused_after_in_doubt_is_no_safe_error(error: RejectedError) -> None:
    """Users of httpx repeat after ConnectError; what was sent once must not be called so."""
    outer = call_error(error, upstream="orders", endpoint="a:1", attempts=2, sent=True)
    name = httpx_name(caused(outer, error))
    assert name not in NOT_SENT
    assert name == ("ReadTimeout" if isinstance(error, TimeoutError) else "ReadError")
