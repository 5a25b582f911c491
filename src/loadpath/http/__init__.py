"""Strict HTTP/1.1: heads and bodies read and written without I/O, and a pooled raw client.

Guide: what every arrow between two services in chapter 3, "고급 로드 밸런싱 전략" (load balancing),
speaks; its algorithms are in `balance`, its gateway in `gateway`.
"""

from loadpath.http.connection import Connection, client_context, connect
from loadpath.http.errors import (
    BodyLostError,
    BodyTimeoutError,
    BodyTooLargeError,
    ConnectError,
    ConnectTimeoutError,
    PoolClosedError,
    PoolFullError,
    PoolTimeoutError,
    ProtocolError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
    TruncatedError,
)
from loadpath.http.heads import RequestHead, ResponseHead, parse_request_head, parse_response_head
from loadpath.http.hops import end_to_end
from loadpath.http.lengths import CHUNKED, UNTIL_CLOSE
from loadpath.http.limits import Limits
from loadpath.http.origin import Origin
from loadpath.http.parsers import End, RequestParser, ResponseParser
from loadpath.http.pool import ConnectionPool, PoolLimits, PoolSnapshot
from loadpath.http.request import Request, Timeouts
from loadpath.http.response import Response
from loadpath.http.writing import (
    LAST_CHUNK,
    write_chunk,
    write_last_chunk,
    write_request_head,
    write_response_head,
)

__all__ = [
    "CHUNKED",
    "LAST_CHUNK",
    "UNTIL_CLOSE",
    "BodyLostError",
    "BodyTimeoutError",
    "BodyTooLargeError",
    "ConnectError",
    "ConnectTimeoutError",
    "Connection",
    "ConnectionPool",
    "End",
    "Limits",
    "Origin",
    "PoolClosedError",
    "PoolFullError",
    "PoolLimits",
    "PoolSnapshot",
    "PoolTimeoutError",
    "ProtocolError",
    "Request",
    "RequestHead",
    "RequestParser",
    "Response",
    "ResponseHead",
    "ResponseInvalidError",
    "ResponseLostError",
    "ResponseParser",
    "ResponseTimeoutError",
    "Timeouts",
    "TruncatedError",
    "client_context",
    "connect",
    "end_to_end",
    "parse_request_head",
    "parse_response_head",
    "write_chunk",
    "write_last_chunk",
    "write_request_head",
    "write_response_head",
]
