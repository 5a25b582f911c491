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
    return write_request_line(method, target) + write_fields(fields)


def write_request_line(method: bytes, target: bytes) -> bytes:
    """Return the first line of a request; otherwise as `write_request_head`."""
    if method == b"CONNECT" or not _path.fullmatch(target):
        _check_other_target(method, target)
    return b"%b %b HTTP/1.1\r\n" % (checked_name(method), target)


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
    elif not value.fullmatch(reason):
        raise ValueError(f"the first line holds a control character: {reason[:100]!r}")
    return b"HTTP/1.1 %d %b\r\n" % (status, reason) + write_fields(fields)


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
    return b"0\r\n" + write_fields(fields)


@lru_cache(maxsize=1024)
def checked_name(name: bytes) -> bytes:
    """Return a header name or method as it is.

    Raises:
        ValueError: It is no token.
    """
    if not token.fullmatch(name):
        raise ValueError(f"a name must be a token, not {name[:100]!r}")
    return name


def write_fields(fields: Iterable[Field]) -> bytes:
    """Return the fields of a head, with the empty line that ends it; as many lines as fields.

    Raises:
        ValueError: A field holds what may not stand in one.
    """
    lines = [b"%b: %b\r\n" % (checked_name(name), each) for name, each in fields]
    block = b"%b\r\n" % b"".join(lines)
    count = len(lines) + 1
    if (
        block.count(b"\n") != count
        or block.count(b"\r") != count
        or block.translate(None, _ALLOWED)
    ):
        raise _bad_field(fields)
    return block


def _bad_field(fields: Iterable[Field]) -> ValueError:
    bad = next((each for each in fields if not value.fullmatch(each[1])), None)
    if bad is None:
        return ValueError("a field holds a control character")
    return ValueError(f"the value of {bad[0]!r} holds a control character: {bad[1][:100]!r}")


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
