"""A stream of bytes in, heads, pieces of bodies and ends out; messages never run into each other.

`receive` takes what came, `next_event` gives one event at a time, None when more must come. Events
are pulled, so a server stops between two pipelined requests simply by not asking. How the stream
was cut does not change the events, only into how many pieces a body falls.

Source: RFC 9112 section 2.2 (parsing), 9.3.2 (pipelining), 7.8 of RFC 9110 (upgrade).
"""

import msgspec

from loadpath.http.bodies import Framer, framer_for
from loadpath.http.errors import ProtocolError, TruncatedError
from loadpath.http.fields import Field
from loadpath.http.heads import (
    RequestHead,
    ResponseHead,
    check_unfinished,
    head_too_large,
    parse_request_head,
    parse_response_head,
)
from loadpath.http.lengths import response_length
from loadpath.http.limits import LIMITS, Limits

_EMPTY_LINES = 4
_SWITCHING = 101
_FINAL = 200
_SUCCESS = range(200, 300)


class End(msgspec.Struct, frozen=True):
    """Tell that a message is whole.

    Attributes:
        trailer: Fields that came after a chunked body.
    """

    trailer: tuple[Field, ...] = ()


_END = End()


class _Stream:
    """Keep what came and was not taken yet."""

    __slots__ = ("_at", "_body", "_data", "_ended", "_limits", "_looked")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = b""
        self._at = 0
        self._looked = 0  # bytes of an unfinished head in which its end was looked for
        self._ended = False
        self._body: Framer | None = None

    def receive(self, data: bytes) -> None:
        """Take what came over the connection."""
        if self._at >= len(self._data):
            self._data = data
        else:
            self._data = self._data[self._at :] + data
        self._at = 0

    def receive_end(self) -> None:
        """Learn that the peer has closed its side."""
        self._ended = True

    @property
    def is_idle(self) -> bool:
        """Whether nothing is between two messages."""
        return self._body is None and self._at >= len(self._data)

    @property
    def held(self) -> int:
        """Bytes that came and were not taken yet."""
        return len(self._data) - self._at

    def rest(self) -> bytes:
        """Give away what has come and belongs to no message: the beginning of another protocol."""
        rest = self._data[self._at :]
        self._data, self._at = b"", 0
        return rest

    def _next_of_body(self, body: Framer) -> bytes | End | None:
        if not body.done:
            piece, self._at = body.feed(self._data, self._at)
            if piece:
                return piece
            if not body.done:
                if not self._ended:
                    return None
                body.end()
        self._body = None
        return End(body.trailer) if body.trailer else _END

    def _wait_for_head(self, start: int) -> None:
        """Refuse a beginning that can become no head; remember how far it was looked through."""
        size = len(self._data) - start
        if size == 0:
            return
        check_unfinished(self._data, start, self._limits)
        if self._ended:
            raise TruncatedError("the connection ended in the middle of a head")
        self._looked = max(0, size - 3)  # its end may have begun


class RequestParser(_Stream):
    """Read the requests of one connection, for a server.

    After the `End` of a request that asks for CONNECT or an upgrade, whoever grants it takes `rest`
    and asks for no more events.

    Args:
        limits: How large each part may be.
    """

    __slots__ = ("_empty_lines",)

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(limits)
        self._empty_lines = 0

    def next_event(self) -> RequestHead | bytes | End | None:
        """Return what came next: a head, a piece of its body, its end; None: not there yet.

        Raises:
            ProtocolError: What came is no request; answer with its status and close.
        """
        if self._body is not None:
            return self._next_of_body(self._body)
        data, start = self._data, self._at
        end = data.find(b"\r\n\r\n", start + self._looked)
        if data.startswith(b"\r\n", start):
            start, end = self._skip_empty_lines()
        if end < 0:
            self._wait_for_head(start)
            return None
        if end - start > self._limits.head:
            raise head_too_large(self._limits)
        head = parse_request_head(data, start, end + 2, self._limits)
        self._at = end + 4
        self._looked = 0
        self._empty_lines = 0
        self._body = framer_for(head.length, self._limits)
        return head

    def _skip_empty_lines(self) -> tuple[int, int]:
        """Pass empty lines before a request: some clients send one after a body."""
        data, start = self._data, self._at
        while data.startswith(b"\r\n", start):
            start += 2
            self._empty_lines += 1
            if self._empty_lines > _EMPTY_LINES:
                raise ProtocolError(f"more than {_EMPTY_LINES} empty lines came before a request")
        self._at = start
        self._looked = 0
        return start, data.find(b"\r\n\r\n", start)


class ResponseParser(_Stream):
    """Read the responses of one connection, for a client.

    Args:
        limits: How large each part may be.

    Attributes:
        switched: Whether the last response ended HTTP on this connection (101, CONNECT); what comes
            after it is `rest`.
    """

    __slots__ = ("_interim", "_method", "switched")

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(limits)
        self._method: bytes | None = None
        self._interim = 0
        self.switched = False

    def expect(self, method: bytes) -> None:
        """Learn the method of the request whose response comes next; after the last one's end.

        Raises:
            RuntimeError: The response before it has not ended.
        """
        if self._method is not None or self._body is not None or self.switched:
            raise RuntimeError("the response before this one has not ended")
        self._method = method
        self._interim = 0

    def next_event(self) -> ResponseHead | bytes | End | None:
        """Return what came next: an interim or final head, a piece of its body, its end, or None.

        Raises:
            ProtocolError: What came is no response, or nobody asked for one.
        """
        if self._body is not None:
            return self._next_of_body(self._body)
        if self.switched:
            return None
        data, start = self._data, self._at
        end = data.find(b"\r\n\r\n", start + self._looked)
        if end < 0:
            if start < len(data):
                self._expected()
            self._wait_for_head(start)
            return None
        method = self._expected()
        if end - start > self._limits.head:
            raise head_too_large(self._limits)
        head = parse_response_head(data, start, end + 2, self._limits)
        self._at = end + 4
        self._looked = 0
        self._begin(head, method)
        return head

    def _expected(self) -> bytes:
        if self._method is None:
            raise ProtocolError("bytes came that answer no request")
        return self._method

    def _begin(self, head: ResponseHead, method: bytes) -> None:
        status = head.status
        if status < _FINAL and status != _SWITCHING:
            self._interim += 1
            if self._interim > self._limits.interim:
                raise ProtocolError(f"more than {self._limits.interim} interim responses came")
            return
        self.switched = status == _SWITCHING or (method == b"CONNECT" and status in _SUCCESS)
        length = response_length(head.index, head.minor, status, method)
        self._body = framer_for(length, self._limits)
        self._method = None
