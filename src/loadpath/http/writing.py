"""Heads and chunks as bytes; what would let one field become two is refused, whoever gave it.

Source: RFC 9112 section 3 to 5 and 7.1; RFC 9110 section 5.5.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from loadpath.http.fields import FORBIDDEN_TRAILERS, Field
from loadpath.http.grammar import PATH, QUERY, absolute_form, authority, token, value

LAST_CHUNK = b"0\r\n\r\n"

_ALLOWED = b"\t\n\r" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_path = re.compile(PATH + QUERY)
_STATUSES = range(100, 1000)
_REASONS = {each.value: each.phrase.encode() for each in HTTPStatus}


def write_request_head(method: bytes, target: bytes, fields: Iterable[Field]) -> bytes:
    """Return the head of a request, with the empty line that ends it.

    Args:
        method: Such as `GET`.
        target: Path and query; for OPTIONS also `*`, for CONNECT `host:port`, or an address.
        fields: Names and values; their framing is the caller's.

    Raises:
        ValueError: A part holds what may not stand there.
    """
    if method == b"CONNECT" or not _path.fullmatch(target):
        _check_other_target(method, target)
    return _written(b"%b %b HTTP/1.1\r\n" % (checked_name(method), target), fields)


def write_response_head(
    status: int, fields: Iterable[Field], *, reason: bytes | None = None
) -> bytes:
    """Return the head of a response, with the empty line that ends it.

    Args:
        status: Status code.
        fields: Names and values; their framing is the caller's.
        reason: Reason phrase, None for the usual one.

    Raises:
        ValueError: A part holds what may not stand there.
    """
    if status not in _STATUSES:
        raise ValueError(f"status must be 100-999, not {status}")
    if reason is None:
        reason = _REASONS.get(status, b"")
    return _written(b"HTTP/1.1 %d %b\r\n" % (status, reason), fields)


def write_chunk(data: bytes) -> bytes:
    """Return data as one chunk; empty data is no chunk, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def write_last_chunk(trailer: Iterable[Field] = ()) -> bytes:
    """Return the end of a chunked body.

    Args:
        trailer: Fields that follow the body.

    Raises:
        ValueError: One may not be there, or holds what may not stand in a field.
    """
    fields = list(trailer)
    for name, _ in fields:
        if name.lower() in FORBIDDEN_TRAILERS:
            raise ValueError(f"a trailer may not hold {name!r}")
    return _written(b"0\r\n", fields)


@lru_cache(maxsize=1024)
def checked_name(name: bytes) -> bytes:
    """Return a header name or method as it is.

    Raises:
        ValueError: It is no token.
    """
    if not token.fullmatch(name):
        raise ValueError(f"a name must be a token, not {name[:100]!r}")
    return name


def _written(line: bytes, fields: Iterable[Field]) -> bytes:
    """Join a head; as many lines must come out as went in."""
    lines = [b"%b: %b\r\n" % (checked_name(name), each) for name, each in fields]
    count = len(lines) + 2
    head = b"%b%b\r\n" % (line, b"".join(lines))
    if head.count(b"\n") != count or head.count(b"\r") != count or head.translate(None, _ALLOWED):
        raise _bad_field(line, fields)
    return head


def _bad_field(line: bytes, fields: Iterable[Field]) -> ValueError:
    for name, each in fields:
        if not value.fullmatch(each):
            return ValueError(f"the value of {name!r} holds a control character: {each[:100]!r}")
    return ValueError(f"the first line holds a control character: {line[:100]!r}")


def _check_other_target(method: bytes, target: bytes) -> None:
    if method == b"CONNECT":
        good = authority.fullmatch(target) is not None
    elif method == b"OPTIONS" and target == b"*":
        good = True
    else:
        good = absolute_form.fullmatch(target) is not None
    if not good:
        raise ValueError(
            "the target must be a path, for OPTIONS also *, for CONNECT host:port, "
            f"or http://host/path: {target[:100]!r}"
        )
