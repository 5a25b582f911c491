"""Where a message ends: decided once, from its head, and refused when two readers could differ.

Source: RFC 9112 section 6 (message body) and 11.2 (request smuggling); RFC 9110 section 8.6.
"""

from collections.abc import Mapping

from loadpath.http.errors import ProtocolError
from loadpath.http.fields import tokens_of

CHUNKED = -1
"""The body ends where its chunks say so."""

UNTIL_CLOSE = -2
"""The body ends where the connection does; responses only."""

_DIGITS = 18
_NO_CONTENT = 204
_NOT_MODIFIED = 304


def request_length(index: Mapping[bytes, bytes], minor: int) -> int:
    """Return the length of a request's body (bytes), or `CHUNKED`.

    Args:
        index: Its fields by name in lower case.
        minor: Minor version of HTTP/1.

    Raises:
        ProtocolError: Two readers could disagree about it, or we know no such coding (501).
    """
    coding, length = index.get(b"transfer-encoding"), index.get(b"content-length")
    if coding is not None:
        return _chunked(coding, length, minor)
    if length is None:
        return 0
    if length[:1] == b"0" and length != b"0":
        raise ProtocolError(f"Content-Length has leading zeros: {length[:100]!r}")
    return _decimal(length)


def response_length(index: Mapping[bytes, bytes], minor: int, status: int, method: bytes) -> int:
    """Return the length of a response's body (bytes), `CHUNKED` or `UNTIL_CLOSE`.

    Args:
        index: Its fields by name in lower case.
        minor: Minor version of HTTP/1.
        status: Its status code.
        method: Of the request that it answers.

    Raises:
        ProtocolError: Two readers could disagree about it, or we know no such coding.
    """
    if status < 200 or status in (_NO_CONTENT, _NOT_MODIFIED) or method == b"HEAD":  # noqa: PLR2004 - 1xx
        return 0
    if method == b"CONNECT" and status < 300:  # noqa: PLR2004 - 2xx
        return 0
    coding, length = index.get(b"transfer-encoding"), index.get(b"content-length")
    if coding is not None:
        return _chunked(coding, length, minor)
    return UNTIL_CLOSE if length is None else _decimal(length)


def _chunked(coding: bytes, length: bytes | None, minor: int) -> int:
    if length is not None:
        raise ProtocolError("a message has Transfer-Encoding and Content-Length; send one of them")
    if minor == 0:
        raise ProtocolError("a message of HTTP/1.0 has Transfer-Encoding")
    if coding == b"chunked":
        return CHUNKED
    return _chunked_list(coding)


def _chunked_list(coding: bytes) -> int:
    codings = tokens_of(coding)
    if codings == [b"chunked"]:
        return CHUNKED
    if not codings or b"chunked" in codings[:-1]:
        raise ProtocolError(f"Transfer-Encoding must end in one `chunked`: {coding[:100]!r}")
    raise ProtocolError(f"Transfer-Encoding holds an unknown coding: {coding[:100]!r}", status=501)


def _decimal(length: bytes) -> int:
    if not length.isdigit():
        raise ProtocolError(f"Content-Length must be a decimal number, not {length[:100]!r}")
    if len(length) > _DIGITS:
        raise ProtocolError(f"Content-Length is larger than any body: {length[:100]!r}")
    return int(length)
