"""Bodies: which bytes of a stream belong to a message, and where the next message begins.

A framer is fed data and a position, and returns what of it is body and where it stopped. What it
did not take (the beginning of a chunk line, the next message) is the caller's to keep. A piece that
is all of the data is that very object: nothing is copied.

Source: RFC 9112 section 6.3 (lengths) and 7.1 (chunked).
"""

import re
from typing import Protocol

from loadpath.http.errors import ProtocolError, TruncatedError
from loadpath.http.fields import Field, check_line_ends, read_trailer
from loadpath.http.grammar import chunk_line
from loadpath.http.lengths import CHUNKED, UNTIL_CLOSE
from loadpath.http.limits import Limits

_UNFINISHED_LINE = re.compile(rb"[^\r\n]*+\r?+\Z")


class Framer(Protocol):
    """Take the bytes of one body out of a stream.

    Attributes:
        done: Whether the body is whole.
        trailer: Trailer fields, once it is.
    """

    done: bool
    trailer: tuple[Field, ...]

    def feed(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return the body in `data[at:]`, empty for none yet, and where the rest begins.

        Raises:
            ProtocolError: The body breaks its own framing.
        """
        ...

    def end(self) -> None:
        """Learn that the stream has ended.

        Raises:
            TruncatedError: The body is not whole.
        """
        ...


class LengthFramer:
    """Take a body of known length.

    Args:
        length: Its size (bytes).
    """

    __slots__ = ("_left", "done", "trailer")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.trailer: tuple[Field, ...] = ()

    def feed(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return the body in `data[at:]` and where the rest begins."""
        left = self._left
        here = len(data) - at
        if here >= left:
            self._left = 0
            self.done = True
            return data[at : at + left], at + left
        self._left = left - here
        return (data[at:] if at else data), len(data)

    def end(self) -> None:
        """Learn that the stream has ended.

        Raises:
            TruncatedError: The body is not whole.
        """
        if not self.done:
            raise TruncatedError(f"the connection ended {self._left} bytes before the body did")


class UntilCloseFramer:
    """Take a body that ends with the connection."""

    __slots__ = ("done", "trailer")

    def __init__(self) -> None:
        self.done = False
        self.trailer: tuple[Field, ...] = ()

    def feed(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return all of `data[at:]`."""
        return (data[at:] if at else data), len(data)

    def end(self) -> None:
        """Learn that the stream has ended, and with it the body."""
        self.done = True


class ChunkedFramer:
    """Take a body in chunks; several chunks in one piece of data come out as one.

    Args:
        limits: Bounds of chunk lines, of their extensions and of the trailer.
    """

    __slots__ = ("_extensions", "_in_data", "_in_trailer", "_left", "_limits", "done", "trailer")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = 0
        self._in_data = False  # inside a chunk's data or the CRLF after it
        self._in_trailer = False
        self._extensions = 0
        self.done = False
        self.trailer: tuple[Field, ...] = ()

    def feed(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Return the body in `data[at:]` and where the rest begins.

        Raises:
            ProtocolError: A chunk or the trailer is wrong or too large.
        """
        pieces: list[bytes] = []
        before = -1
        try:
            while at != before and not self.done:
                before = at
                at = self._step(data, at, pieces)
        except ProtocolError:
            if not pieces:
                raise  # else first comes what is body, then, when asked again, the error
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), at

    def end(self) -> None:
        """Learn that the stream has ended.

        Raises:
            TruncatedError: The body is not whole.
        """
        if not self.done:
            raise TruncatedError("the connection ended before the last chunk")

    def _step(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take one part, if it is there whole; returns where the next begins."""
        if self._in_data:
            return self._take_data(data, at, pieces)
        if self._in_trailer:
            return self._take_trailer(data, at)
        return self._take_line(data, at)

    def _take_line(self, data: bytes, at: int) -> int:
        match = chunk_line.match(data, at)
        if match is None:
            return self._line_unfinished(data, at)
        size, extensions = match.groups()
        self._check_line(match.end() - at, len(extensions))
        self._left = int(size, 16)
        self._in_data = self._left > 0
        self._in_trailer = self._left == 0
        return match.end()

    def _line_unfinished(self, data: bytes, at: int) -> int:
        if not _UNFINISHED_LINE.match(data, at):
            line = data[at : at + 100].partition(b"\n")[0]
            raise ProtocolError(f"a chunk must begin with its size in hexadecimal: {line!r}")
        self._check_line(len(data) - at, 0)
        return at

    def _check_line(self, size: int, extensions: int) -> None:
        self._extensions += extensions
        if size > self._limits.chunk_line or self._extensions > self._limits.chunk_extensions:
            raise ProtocolError("the lines that begin chunks are too large")

    def _take_data(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        left = self._left
        if left == 0:
            return self._take_end(data, at)
        piece = data[at : at + left] if at or len(data) > left else data
        if piece:
            pieces.append(piece)
            self._left = left - len(piece)
        return at + len(piece)

    def _take_end(self, data: bytes, at: int) -> int:
        """Pass the CRLF after a chunk's data; half of it is left for later."""
        end = data[at : at + 2]
        if end == b"\r\n":
            self._in_data = False
            return at + 2
        if end not in (b"", b"\r"):
            raise ProtocolError(f"a chunk must end in CR LF, not {end!r}")
        return at

    def _take_trailer(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            self._check_trailer(len(data) - at)
            check_line_ends(data, at)
            return at
        self._check_trailer(end - at)
        self.trailer = read_trailer(data, at, end + 2, self._limits)
        self.done = True
        return end + 4

    def _check_trailer(self, size: int) -> None:
        if size > self._limits.trailer:
            raise ProtocolError(f"the trailer is larger than {self._limits.trailer} bytes")


_NOTHING = LengthFramer(0)  # done from the start, so one is enough for all


def framer_for(length: int, limits: Limits) -> Framer:
    """Return the framer of a body.

    Args:
        length: As `lengths` decided: bytes, `CHUNKED` or `UNTIL_CLOSE`.
        limits: Bounds of what chunks bring beside data.
    """
    if length == 0:
        return _NOTHING
    if length > 0:
        return LengthFramer(length)
    if length == CHUNKED:
        return ChunkedFramer(limits)
    assert length == UNTIL_CLOSE
    return UntilCloseFramer()
