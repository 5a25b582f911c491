"""What to ask, and how long to wait for each step of it."""

import math
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, fields

import msgspec

from loadpath.http.fields import SINGLE, Field, tokens_of
from loadpath.http.writing import write_fields, write_request_line

IDEMPOTENT = frozenset({b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PUT", b"TRACE"})
"""Methods that may be sent twice.

Source: RFC 9110 section 9.2.2.
"""

_EXPECT_BODY = frozenset({b"PATCH", b"POST", b"PUT"})
_WITHOUT_BODY = frozenset({b"CONNECT", b"TRACE"})

Body = bytes | AsyncIterable[bytes]


class Request(msgspec.Struct, frozen=True):
    """Hold one request.

    `Host`, `Content-Length` and `Transfer-Encoding` are added where `fields` leaves them out.

    Attributes:
        method: Such as `b"GET"`; case-sensitive.
        target: Path and query.
        fields: Header fields.
        body: Whole, or in pieces as they come; pieces without a `Content-Length` go in chunks.
    """

    method: bytes
    target: bytes
    fields: Sequence[Field] = ()
    body: Body | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again although the first one may have arrived."""
        whole = self.body is None or isinstance(self.body, bytes)
        return whole and self.method in IDEMPOTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Bound each wait of one request (s); `math.inf` for no bound.

    Attributes:
        connect: Until a connection is made, TLS included.
        pool: Until one of the pool's places is free.
        write: Without the peer taking any of what is sent.
        read: Without any of the response coming.
        total: From the beginning to the last byte of the response.
    """

    connect: float = 5.0
    pool: float = 5.0
    write: float = 30.0
    read: float = 30.0
    total: float = math.inf

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not value > 0:
                raise ValueError(f"{each.name} must be above 0 s, not {value}")


TIMEOUTS = Timeouts()
"""How long a request waits unless it is told otherwise."""


class Outgoing(msgspec.Struct, frozen=True):
    """Hold a request as it goes over the wire.

    Attributes:
        method: Its method.
        head: Its head.
        body: Its body.
        framing: What its fields say about the rest.
    """

    method: bytes
    head: bytes
    body: Body | None
    framing: "Framing"


class Framing(msgspec.Struct, frozen=True):
    """Hold what the fields of a request become, and what they say.

    Attributes:
        block: The fields with what was added, and the empty line behind them.
        chunked: Whether the body goes in chunks.
        length: Size of the body where it is announced (bytes).
        keep_alive: Whether the request leaves the connection open.
        may_switch: Whether it asks for another protocol.
    """

    block: bytes
    chunked: bool
    length: int
    keep_alive: bool
    may_switch: bool


class Writer:
    """Write out requests to one authority.

    Many requests without a body differ from the one before in their target only: their fields are
    checked and written once.

    Args:
        authority: What `Host` says unless a request says it.
    """

    __slots__ = ("_authority", "_fields", "_framing", "_method")

    def __init__(self, authority: bytes) -> None:
        self._authority = authority
        self._method = b""
        self._fields: list[Field] = []
        self._framing: Framing | None = None

    def write(self, request: Request) -> Outgoing:
        """Return a request as it goes over the wire; otherwise as `outgoing`."""
        framing, method = self._framing, request.method
        if framing is None or request.body is not None:
            return self._write_all(request)
        if method != self._method or request.fields != self._fields:
            return self._write_all(request)
        return Outgoing(
            method, write_request_line(method, request.target) + framing.block, None, framing
        )

    def _write_all(self, request: Request) -> Outgoing:
        written = outgoing(request, self._authority)
        if request.body is None:
            self._method = request.method
            self._fields = list(request.fields)  # the caller's own list may change
            self._framing = written.framing
        return written


def outgoing(request: Request, authority: bytes) -> Outgoing:
    """Return a request as it goes over the wire.

    Args:
        request: What to send.
        authority: What `Host` says unless the request says it.

    Raises:
        ValueError: A part holds what may not stand there, or its framing contradicts its body.
    """
    framing = _framing(request, authority)
    head = write_request_line(request.method, request.target) + framing.block
    return Outgoing(request.method, head, request.body, framing)


def _framing(request: Request, authority: bytes) -> Framing:
    given = {name.lower(): value for name, value in request.fields}
    if len(given) != len(request.fields):
        _check_single(request.fields)
    added: list[Field] = []
    if b"host" not in given:
        added.append((b"Host", authority))
    body = request.body
    if body is not None and request.method in _WITHOUT_BODY:
        raise ValueError(f"a {request.method.decode()} request may not have a body")
    if body is None or isinstance(body, bytes):
        length = _whole(request, given, added, len(body or b""))
        chunked = False
    else:
        chunked, length = _streamed(given, added)
    block = write_fields([*added, *request.fields] if added else request.fields)
    connection = given.get(b"connection", b"keep-alive")
    keep_alive = connection == b"keep-alive" or b"close" not in tokens_of(connection)
    return Framing(block, chunked, length, keep_alive, b"upgrade" in given)


def _check_single(fields: Sequence[Field]) -> None:
    names = [name.lower() for name, _ in fields]
    for single in (*SINGLE, b"transfer-encoding"):
        if names.count(single) > 1:
            raise ValueError(f"{single.decode()} must be there once")


def _whole(request: Request, given: dict[bytes, bytes], added: list[Field], size: int) -> int:
    if b"transfer-encoding" in given:
        raise ValueError("a body that is given whole may not have Transfer-Encoding")
    length = given.get(b"content-length")
    if length is None:
        if size or request.method in _EXPECT_BODY:
            added.append((b"Content-Length", b"%d" % size))
    elif length != b"%d" % size:
        raise ValueError(f"Content-Length is {length!r} and the body has {size} bytes")
    return size


def _streamed(given: dict[bytes, bytes], added: list[Field]) -> tuple[bool, int]:
    length, coding = given.get(b"content-length"), given.get(b"transfer-encoding")
    if length is not None:
        if coding is not None or not length.isdigit():
            raise ValueError("a body needs a decimal Content-Length or Transfer-Encoding, not both")
        return False, int(length)
    if coding is None:
        added.append((b"Transfer-Encoding", b"chunked"))
    elif tokens_of(coding) != [b"chunked"]:
        raise ValueError(f"Transfer-Encoding must be chunked, not {coding!r}")
    return True, 0
