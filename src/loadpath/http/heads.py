"""Heads of requests and responses: bytes in, one frozen value out, or a `ProtocolError`.

One pattern takes the start line, one takes every field; a head that does not match is refused, and
only then looked at again to say why. The functions get whole heads: `parsers` finds their ends.

Source: RFC 9112 section 2 to 5 and 9.3; RFC 9110 section 7.2.
"""

import re

import msgspec

from loadpath.http.authority import checked_authority
from loadpath.http.errors import ProtocolError
from loadpath.http.fields import Field, check_line_ends, index_of, read_fields, tokens_of
from loadpath.http.grammar import absolute_form, request_line, status_line, token
from loadpath.http.lengths import request_length
from loadpath.http.limits import LIMITS, Limits

_FOLD = re.compile(rb"\r\n[ \t]++")


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """Hold the head of a request.

    Attributes:
        method: As sent; methods are case-sensitive.
        target: Request target as sent.
        minor: Minor version of HTTP/1.
        fields: Header fields in the order and case they came in.
        index: Values by name in lower case; those of a repeated name joined by `, `.
        length: Of the body (bytes), or `lengths.CHUNKED`.
        keep_alive: Whether the sender wants to go on using the connection.
        authority: Host, perhaps with a port, that is asked: of the target, else of `Host`.
        path: Path and query to serve; `*` and the authority of CONNECT stay as they are.
    """

    method: bytes
    target: bytes
    minor: int
    fields: list[Field]
    index: dict[bytes, bytes]
    length: int
    keep_alive: bool
    authority: bytes
    path: bytes

    def get(self, name: bytes) -> bytes | None:
        """Return a field's value, None when it is not there; `name` in lower case."""
        return self.index.get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of every line with this name; `name` in lower case."""
        return [value for each, value in self.fields if each.lower() == name]

    @property
    def expects_continue(self) -> bool:
        """Whether the sender waits for a 100 before it sends the body."""
        expect = self.index.get(b"expect")
        return expect is not None and self.minor > 0 and b"100-continue" in tokens_of(expect)

    @property
    def upgrade(self) -> bytes | None:
        """Protocols that the sender would rather speak, None when it asks for none."""
        wanted = self.index.get(b"upgrade")
        if wanted is None or self.minor == 0:
            return None
        return wanted if b"upgrade" in tokens_of(self.index.get(b"connection", b"")) else None


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
    """Hold the head of a response.

    Attributes:
        status: Status code.
        reason: Reason phrase, often empty; it means nothing.
        minor: Minor version of HTTP/1.
        fields: Header fields in the order and case they came in.
        index: Values by name in lower case; those of a repeated name joined by `, `.
        keep_alive: Whether the sender wants to go on using the connection.
    """

    status: int
    reason: bytes
    minor: int
    fields: list[Field]
    index: dict[bytes, bytes]
    keep_alive: bool

    def get(self, name: bytes) -> bytes | None:
        """Return a field's value, None when it is not there; `name` in lower case."""
        return self.index.get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of every line with this name; `name` in lower case."""
        return [value for each, value in self.fields if each.lower() == name]


def parse_request_head(data: bytes, start: int, end: int, limits: Limits = LIMITS) -> RequestHead:
    """Read the head of a request, `data[start:end]` with the CRLF of its last line.

    Raises:
        ProtocolError: It is none, or larger than the limits allow.
    """
    match = request_line.match(data, start, end)
    if match is None:
        return _parse_other_form(data, start, end, limits)
    method, target, version = match.groups()
    body = match.end()
    if body - start > limits.start_line:
        raise _first_line_too_large(limits)
    minor = version[0] - 48
    fields = read_fields(data, body, end, limits.fields)
    index = index_of(fields)
    host = _host(index, minor)
    length = request_length(index, minor)
    if method == b"CONNECT":
        raise _bad_target(target)
    if length and method == b"TRACE":
        raise ProtocolError("a TRACE request may not have a body")
    return RequestHead(
        method,
        target,
        minor,
        fields,
        index,
        length,
        _keep_alive(index, minor),
        host,
        target,
    )


def parse_response_head(data: bytes, start: int, end: int, limits: Limits = LIMITS) -> ResponseHead:
    """Read the head of a response, `data[start:end]` with the CRLF of its last line.

    A folded line (obs-fold) is unfolded, as RFC 9112 section 5.2 asks of whoever gets a response.

    Raises:
        ProtocolError: It is none, or larger than the limits allow.
    """
    match = status_line.match(data, start, end)
    if match is None:
        raise _bad_start_line(data, start, end, "HTTP/1.1 200 OK")
    version, status, reason = match.groups()
    body = match.end()
    if body - start > limits.start_line:
        raise _first_line_too_large(limits)
    minor = version[0] - 48
    try:
        fields = read_fields(data, body, end, limits.fields)
    except ProtocolError:
        fields = _read_folded(data, body, end, limits)
    index = index_of(fields)
    return ResponseHead(int(status), reason or b"", minor, fields, index, _keep_alive(index, minor))


def _read_folded(data: bytes, start: int, end: int, limits: Limits) -> list[Field]:
    """Read fields of which some are folded; the first line cannot be the rest of one."""
    block = b"\n" + _FOLD.sub(b" ", data[start:end])
    return read_fields(block, 1, len(block), limits.fields)


def _keep_alive(index: dict[bytes, bytes], minor: int) -> bool:
    connection = index.get(b"connection")
    if connection is None:
        return minor > 0
    if connection == b"keep-alive":
        return True
    options = tokens_of(connection)
    return b"close" not in options and (minor > 0 or b"keep-alive" in options)


def _host(index: dict[bytes, bytes], minor: int) -> bytes:
    host = index.get(b"host")
    if host is not None:
        return checked_authority(host)
    if minor > 0:
        raise ProtocolError("a request of HTTP/1.1 must have one Host")
    return b""


def _parse_other_form(data: bytes, start: int, end: int, limits: Limits) -> RequestHead:
    """Read a request whose target is not a path: an address, an authority, an asterisk."""
    body = data.find(b"\r\n", start, end) + 2
    if body - start > limits.start_line:
        raise _first_line_too_large(limits)
    parts = data[start : body - 2].split(b" ")
    method = parts[0]
    if len(parts) != 3 or not token.fullmatch(method):  # noqa: PLR2004 - method, target, version
        raise _bad_start_line(data, start, end, "GET /path HTTP/1.1")
    minor = _minor(parts[2])
    authority, path = _split_target(method, parts[1])
    fields = read_fields(data, body, end, limits.fields)
    index = index_of(fields)
    host = _host(index, minor)
    return RequestHead(
        method,
        parts[1],
        minor,
        fields,
        index,
        _other_length(method, index, minor),
        _keep_alive(index, minor),
        authority or host,
        path,
    )


def _other_length(method: bytes, index: dict[bytes, bytes], minor: int) -> int:
    length = request_length(index, minor)
    if length and method in (b"CONNECT", b"TRACE"):
        raise ProtocolError(f"a {method.decode()} request may not have a body")
    return length


def _minor(version: bytes) -> int:
    if len(version) == 8 and version[:7] == b"HTTP/1." and version[7:].isdigit():  # noqa: PLR2004 - HTTP/1.1
        return version[7] - 48
    if re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
        raise ProtocolError(f"only HTTP/1.1 is spoken here, not {version!r}", status=505)
    raise ProtocolError(f"the version must be HTTP/1.1, not {version[:100]!r}")


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Return authority and path of a target that is no path."""
    if method == b"CONNECT":
        return _connect_target(target), target
    if target == b"*" and method == b"OPTIONS":
        return b"", target
    match = absolute_form.fullmatch(target)
    if match is None:
        raise _bad_target(target)
    path = match[4]
    if not path and method == b"OPTIONS":
        return checked_authority(match[1], what="the target"), b"*"
    return checked_authority(match[1], what="the target"), b"/" * (path[:1] != b"/") + path


def _connect_target(target: bytes) -> bytes:
    if not target.rpartition(b":")[2].isdigit():
        raise _bad_target(target)
    return checked_authority(target, what="the target of CONNECT")


def _bad_target(target: bytes) -> ProtocolError:
    return ProtocolError(
        "the target must be a path, for OPTIONS also *, for CONNECT host:port, "
        f"or http://host/path: {target[:100]!r}"
    )


def _first_line_too_large(limits: Limits) -> ProtocolError:
    return ProtocolError(f"the first line is larger than {limits.start_line} bytes", status=414)


def _bad_start_line(data: bytes, start: int, end: int, good: str) -> ProtocolError:
    line = data[start : max(data.find(b"\r\n", start, end), start)]
    return ProtocolError(f"the first line must look like {good!r}, not {line[:100]!r}")


def check_unfinished(data: bytes, start: int, limits: Limits) -> None:
    """Refuse the beginning of a head, `data[start:]`, that can become none any more.

    Raises:
        ProtocolError: It is too large, or holds a bare CR, LF or NUL.
    """
    size = len(data) - start
    if size > limits.start_line and data.find(b"\n", start, start + limits.start_line) < 0:
        raise _first_line_too_large(limits)
    if size > limits.head:
        raise head_too_large(limits)
    check_line_ends(data, start)


def head_too_large(limits: Limits) -> ProtocolError:
    """Return why a head is refused that is larger than it may be."""
    return ProtocolError(f"the head is larger than {limits.head} bytes", status=431)
