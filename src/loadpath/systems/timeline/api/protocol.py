"""HTTP/1.1 on uvicorn, with bounds that it lacks: on the size and the time of a request's head.

What cannot be parsed is answered with a problem document too.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from loadpath.systems.timeline.api.problems import MEDIA_TYPE, ProblemError

MAX_HEAD = 16_384
"""Largest request line with all headers (bytes)."""

HEAD_TIMEOUT = 10.0
"""Seconds that the head of a request may take to arrive."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuse heads that are too large or too slow; otherwise be uvicorn's own protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_message = False
        self._in_head = False
        self._begun = 0  # messages that began in the data that is parsed now
        self._head = 0  # bytes of a head that is not complete yet
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal = ProblemError(400, "This is not a request of HTTP/1.1.")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection; one that says nothing is closed too."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and count it while it belongs to a head."""
        was_idle = not self._in_message
        self._begun = 0
        self._head += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            self._head = 0
            return
        if self._begun:
            # After other requests in the same data, nobody knows how much of it is this head.
            self._head = len(data) if was_idle and self._begun == 1 else 0
        if self._head > MAX_HEAD:
            self._refusal = _too_large()
            self.send_400_response("")
        elif self._head_timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_message = self._in_head = True
        self._begun += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that a head is complete; one piece of data may hold all of a large one.

        Raises:
            ProblemError: It is too large, or has no Host or several (RFC 9112, 3.2).
        """
        self._in_head = False
        if self._head_timer is not None:
            self._stop_timer()
        if self._head > MAX_HEAD and self._head_size() > MAX_HEAD:
            self._refusal = _too_large()
            raise self._refusal
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            self._refusal = ProblemError(
                400, f"Send one Host header, not {hosts}.", field="Host", place="header"
            )
            raise self._refusal
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        self._in_message = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, not ours
        """Refuse the request with a problem document and close."""
        problem = self._refusal.problem
        body = msgspec.json.encode(problem)
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE.decode()}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _too_large() -> ProblemError:
    return ProblemError(
        431, f"Request line and headers may have {MAX_HEAD} bytes.", field="headers", place="header"
    )
