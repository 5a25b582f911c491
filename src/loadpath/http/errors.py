"""What can go wrong with a message, and with a request: not sent, in doubt, or failed.

Until the last byte of a request can have left, an error is a `RejectedError`: trying again is safe.
From then until a whole response head has come it is an `InDoubtError`: the server may have acted.
With a head the outcome is known; what goes wrong after it is a plain failure of the body.
"""

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError


class ProtocolError(LoadpathError, ValueError):
    """Refuse a message that is not HTTP/1.1; the connection that it came over is of no more use.

    Attributes:
        status: What a server answers with before it closes (400, 414, 431, 501, 505).
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class TruncatedError(ProtocolError, EOFError):
    """Report that the peer closed in the middle of a message."""


class ConnectError(RejectedError, ConnectionError):
    """Report that no connection could be made: nothing was sent."""


class ConnectTimeoutError(ConnectError, TimeoutError):
    """Report that no connection was made in time: nothing was sent."""


class PoolFullError(RejectedError, RuntimeError):
    """Refuse a request because too many wait for a connection already: nothing was sent."""


class PoolTimeoutError(RejectedError, TimeoutError):
    """Report that no connection came free in time: nothing was sent."""


class PoolClosedError(RejectedError, RuntimeError):
    """Refuse a request because the pool is closed: nothing was sent."""


class ResponseLostError(InDoubtError, ConnectionError):
    """Report that the connection ended after sending had begun and before a whole response head."""


class ResponseTimeoutError(InDoubtError, TimeoutError):
    """Report that sending, or waiting for the response head, took too long."""


class ResponseInvalidError(InDoubtError, ValueError):
    """Report that what came back is not a response of HTTP/1.1."""


class BodyLostError(LoadpathError, ConnectionError):
    """Report a response body that ended before it was whole; its head had come."""


class BodyTimeoutError(BodyLostError, TimeoutError):
    """Report a response body that did not come in time; its head had come."""


class BodyTooLargeError(LoadpathError, ValueError):
    """Refuse a response body that is larger than the caller wants to hold in memory."""
