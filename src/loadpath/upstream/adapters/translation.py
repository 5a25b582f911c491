"""What an error is called in httpx's tree: by name, because httpx2 has the same one.

A class that says that nothing was sent is given only where that is so: a call that was in doubt on
one attempt and refused on the next one is in doubt.
"""

from loadpath.core.errors import RejectedError
from loadpath.http import (
    BodyLostError,
    BodyTimeoutError,
    ConnectError,
    ConnectTimeoutError,
    PoolFullError,
    PoolTimeoutError,
    ProtocolError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.resilience import BulkheadFull
from loadpath.upstream.errors import UpstreamError, UpstreamInDoubtError

_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (ConnectTimeoutError, "ConnectTimeout"),
    (ConnectError, "ConnectError"),
    (PoolTimeoutError, "PoolTimeout"),
    (PoolFullError, "PoolTimeout"),
    (BulkheadFull, "PoolTimeout"),
    (ResponseTimeoutError, "ReadTimeout"),
    (BodyTimeoutError, "ReadTimeout"),
    (ResponseInvalidError, "RemoteProtocolError"),
)


def httpx_name(error: Exception) -> str:
    """Return the name of the class of httpx that tells what `error` does."""
    cause = error.__cause__
    if isinstance(error, UpstreamError) and isinstance(cause, Exception):
        doubtful = isinstance(error, UpstreamInDoubtError) and isinstance(cause, RejectedError)
        if not doubtful:
            return httpx_name(cause)
    for kind, name in _NAMES:
        if isinstance(error, kind):
            return name
    if isinstance(error, ResponseLostError | BodyLostError):
        closed = cause is None or isinstance(cause, ProtocolError)
        return "RemoteProtocolError" if closed else "ReadError"
    if isinstance(error, RejectedError):
        return "ConnectTimeout" if isinstance(error, TimeoutError) else "ConnectError"
    if isinstance(error, UpstreamError):
        return "ReadTimeout" if isinstance(error, TimeoutError) else "ReadError"
    return "LocalProtocolError"
