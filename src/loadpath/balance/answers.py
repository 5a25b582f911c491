"""Read what a probed server answers: strict, small, and only as much as a check needs to know.

Source: RFC 9112 (status line, fields, chunks), the Redis serialization protocol, and PostgreSQL's
frontend/backend protocol 3.0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loadpath.core.errors import LoadpathError

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t \x21-\x7e\x80-\xff]*)?")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t \x21-\x7e\x80-\xff]*?)[\t ]*")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;.*)?\r\n")
LONGEST_TEXT = 80
CANNOT_CONNECT_NOW = "57P03"


class ProbeFailedError(LoadpathError, ConnectionError):
    """Tell why a server did not pass its check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Hold the head of an HTTP answer; field names are in lower case."""

    status: int
    fields: Mapping[bytes, bytes]

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return self.fields.get(b"transfer-encoding", b"").lower() == b"chunked"

    @property
    def length(self) -> int | None:
        """Bytes of the body, None when it ends with the connection.

        Raises:
            ProbeFailedError: The length is no number.
        """
        told = self.fields.get(b"content-length")
        if told is None:
            return None
        if not told.isdigit():
            raise ProbeFailedError(f"sent a wrong Content-Length: {printable(told)}")
        return int(told)


def http_head(data: bytes) -> Head:
    """Return the head of an HTTP answer, which ends with an empty line.

    Raises:
        ProbeFailedError: It is no HTTP/1 head.
    """
    first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    status = STATUS_LINE.fullmatch(first)
    if status is None:
        raise ProbeFailedError(f"does not speak HTTP: {printable(first)}")
    fields = {}
    for line in lines:
        field = FIELD.fullmatch(line)
        if field is None:
            raise ProbeFailedError(f"sent a wrong header: {printable(line)}")
        fields[field[1].lower()] = field[2]
    return Head(status=int(status[1]), fields=fields)


def chunk_size(line: bytes) -> int:
    """Return the size that a chunk begins with.

    Raises:
        ProbeFailedError: The line tells none.
    """
    size = CHUNK_SIZE.fullmatch(line)
    if size is None:
        raise ProbeFailedError(f"sent a wrong chunk: {printable(line)}")
    return int(size[1], 16)


def redis_command(*words: str) -> bytes:
    """Return a command as Redis reads it."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def redis_says(line: bytes, expected: bytes) -> None:
    """Return when a reply is the expected one.

    Raises:
        ProbeFailedError: It is another one (LOADING, NOAUTH, …).
    """
    if line != b"+" + expected + b"\r\n":
        raise ProbeFailedError(f"answered {printable(line)} instead of {expected.decode()}")


def postgres_startup(user: str, database: str) -> bytes:
    """Return the message that opens a connection to PostgreSQL."""
    words = ("user", user, "database", database)
    body = b"\0\x03\0\0" + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    return (len(body) + 4).to_bytes(4, "big") + body


def postgres_refusal(fields: bytes) -> None:
    """Return when an ErrorResponse says that the server is up, as to a stranger or a full house.

    Raises:
        ProbeFailedError: It is starting or stopping, as pg_isready tells them apart.
    """
    told = {field[:1]: field[1:].decode(errors="replace") for field in fields.split(b"\0") if field}
    code = told.get(b"C", "")
    if not code:
        raise ProbeFailedError("sent an error without a code: does not speak PostgreSQL")
    if code == CANNOT_CONNECT_NOW:
        raise ProbeFailedError(f"{code}: {told.get(b'M', '')[:LONGEST_TEXT]}")


def printable(data: bytes) -> str:
    """Return the beginning of what a server sent, fit for a message."""
    cut = data[:LONGEST_TEXT].rstrip(b"\r\n")
    return repr(cut.decode("ascii", errors="backslashreplace"))
