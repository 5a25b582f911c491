"""HTTP/1.1 on uvicorn, with bounds that it lacks: on sizes, on times, and on connections.

What cannot be parsed is answered with a problem document too, in its turn: after the answers to
the requests before it, and so that a client which is still sending can read it.
"""

import asyncio
import resource
from collections import deque
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from loadpath.core.errors import RejectedError
from loadpath.systems.timeline.api.heads import Part, largest, malformed
from loadpath.systems.timeline.api.problems import MEDIA_TYPE, ProblemError, problem_of

MAX_HEAD = 16_384
"""Largest request line with all headers, and largest framing of a body between its data (bytes)."""

HEAD_TIMEOUT = 10.0
"""Seconds that the head of a request may take to arrive, and the rest of an answered one."""

WRITE_TIMEOUT = 30.0
"""Seconds that a client may take no data while an answer waits for it."""

OTHER_FILES = 128
"""Open files that are kept for anything but clients: connections to the record, rings, logs."""

_LINGER = 1.0  # seconds in which a refused client may go on sending and still read the refusal
_DISCARDED = 1 << 22  # bytes of that


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuse what is too large or too slow; otherwise be uvicorn's own protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_message = False
        self._in_head = False
        self._begun = 0  # messages that began in the data that is parsed now
        self._head: list[bytes] = []  # the pieces of a head that is not complete yet
        self._framing = 0  # bytes of a body since its last data: sizes, extensions, trailers
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._refusal: ProblemError | None = None
        self._discarded = -1  # bytes since a refusal, -1 before one
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin a connection; one that says nothing is closed too."""
        super().connection_made(transport)
        if len(self.connections) > resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OTHER_FILES:
            busy = problem_of(RejectedError("too many connections", retry_after=1.0))
            assert busy is not None
            transport.write(_document(busy))
            transport.close()
            return
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._stop_timer()
        self.resume_writing()
        for cycle in self._unanswered:  # uvicorn tells only the last one
            cycle.disconnected = True
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a client that does not read some time to go on."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and count what is no data of a body."""
        if self._discarded >= 0:
            self._discard(data)
            return
        self._begun = 0
        begins = not self._in_message
        self._head.append(data)
        self._framing += len(data)
        super().data_received(data)
        if self._discarded >= 0 or self.transport.is_closing():
            return
        if self._in_head:
            self._bound_head(data, begins=begins)
        else:
            self._head.clear()
            if self._in_message and self._framing > MAX_HEAD:
                self._refuse(_too_large(Part("body", "body")))

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_message = self._in_head = True
        self._begun += 1
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; trailers mean nothing here."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that a head is complete; one piece of data may hold all of a large one.

        Raises:
            ProblemError: It is too large, has no Host or several (RFC 9112, 3.2), or asks for
                another protocol with a body that belongs to nobody then.
        """
        self._stop_timer()
        self._refusal = self._wrong_head()
        if self._refusal is not None:
            raise self._refusal
        super().on_headers_complete()
        self._in_head = False
        self._framing = 0
        self._unanswered.append(self.cycle)
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser takes whatever follows for the new protocol

    def on_body(self, body: bytes) -> None:
        """Take data of a body."""
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._in_message = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what waited for this answer: the next request, or a refusal."""
        self._unanswered.popleft()
        super().on_response_complete()
        if self._discarded >= 0:
            self._refuse_in_turn()
        elif self._in_message and not self._unanswered and self._head_timer is None:
            self._start_timer()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, not ours
        """Refuse what cannot be parsed."""
        self._refuse(self._refusal or self._unreadable())

    def _refuse(self, refusal: ProblemError) -> None:
        """Read nothing more, and answer with the refusal when its turn comes."""
        self._refusal = refusal
        self._discarded = 0
        self._stop_timer()
        if self._in_message and not self._in_head:
            self._break_off()
        self._head.clear()
        self._refuse_in_turn()

    def _break_off(self) -> None:
        """Let nobody wait for the rest of a request whose body cannot be read."""
        broken = self.cycle
        if broken.response_complete:
            self._refusal = None
            return
        self.pipeline = deque(each for each in self.pipeline if each[0] is not broken)
        self._unanswered.remove(broken)
        broken.disconnected = True
        broken.message_event.set()

    def _refuse_in_turn(self) -> None:
        if self._unanswered or self.transport.is_closing():
            return
        if self._refusal is not None:
            self.transport.write(_document(self._refusal))
        self._unset_keepalive_if_required()
        self._start_timer(_LINGER)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self, data: bytes) -> None:
        """Take what a refused client still sends: a reset would cost it the refusal."""
        self._discarded += len(data)
        if self._discarded > _DISCARDED:
            self.transport.close()

    def _bound_head(self, data: bytes, *, begins: bool) -> None:
        if self._begun > 1 or (self._begun and not begins):
            # After other requests in the same data, nobody knows how much of it is this head.
            self._head.clear()
        elif self._begun:
            self._head[:] = [data]
        if sum(map(len, self._head)) > MAX_HEAD:
            self._refuse(_too_large(largest(b"".join(self._head))))
        elif self._head_timer is None:
            self._start_timer()

    def _wrong_head(self) -> ProblemError | None:
        """Return why a complete head is refused, None when it is not."""
        names = [name for name, _ in self.headers]
        hosts = names.count(b"host")
        if sum(map(len, self._head)) > MAX_HEAD and self._head_size() > MAX_HEAD:
            lines = (b"%b: %b" % header for header in self.headers)
            return _too_large(largest(b"\n".join([b"GET %b" % self.url, *lines])))
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            return ProblemError(
                400, f"Send one Host header, not {hosts}.", field="Host", place="header"
            )
        if self.parser.should_upgrade() and {b"content-length", b"transfer-encoding"} & {*names}:
            return ProblemError(
                400,
                "This server speaks HTTP/1.1 only: send a body without asking for an upgrade.",
                field="Upgrade",
                place="header",
            )
        return None

    def _unreadable(self) -> ProblemError:
        """Return the refusal of what is no HTTP, which names the part where that is sure."""
        part = None
        if self._in_head or not self._in_message:
            part = malformed(b"".join(self._head)) if self._begun <= 1 else None
        elif self._in_message:
            part = Part("body", "body")
        field, place = part or (None, None)
        what = f"`{field}` is not" if field else "This is not a request of"
        return ProblemError(400, f"{what} HTTP/1.1.", field=field, place=place)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start_timer(self, seconds: float | None = None) -> None:
        patience = HEAD_TIMEOUT if seconds is None else seconds
        self._head_timer = self.loop.call_later(patience, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _document(error: ProblemError) -> bytes:
    """Return a whole answer that says what was refused, and that the connection ends."""
    problem = error.problem
    body = msgspec.json.encode(problem)
    headers = [
        (b"content-type", MEDIA_TYPE),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *error.headers,
    ]
    line = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n".encode()
    return b"".join([line, *(b"%b: %b\r\n" % header for header in headers), b"\r\n", body])


def _too_large(part: Part) -> ProblemError:
    if part.place == "body":
        return ProblemError(
            413,
            f"Between the data of a body there may be {MAX_HEAD} bytes of framing.",
            field=part.field,
            place=part.place,
        )
    return ProblemError(
        431,
        f"Request line and headers may have {MAX_HEAD} bytes; `{part.field}` takes most of them.",
        field=part.field,
        place=part.place,
    )
