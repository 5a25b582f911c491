"""One client's connection: requests in, one after the other, answers out in the same order.

A state machine on the protocol: it reads as fast as its handler takes, writes as fast as the client
does, and has one timer, which looks at one deadline. A request under way has a task; an idle
connection has none. Whatever leaves a message unfinished closes the connection: the rest of it must
not be taken for the next request.

A client that closes its side while it waits is gone: its request is given up, as nginx does.

Source: RFC 9112 section 9 (connections), 9.6 (closing in stages), 2.2; RFC 9110 section 10.1.1
(100-continue) and 15.5.9 (408).
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Protocol, cast

import msgspec

from loadpath.gateway.exchange import AnswerHead, Field, Reply
from loadpath.gateway.passing.problems import GatewayError, problem_of
from loadpath.gateway.serving.dates import DATES
from loadpath.gateway.settings.listening import ClientTimeouts
from loadpath.http import (
    End,
    Limits,
    ProtocolError,
    RequestHead,
    RequestParser,
    write_chunk,
    write_last_chunk,
    write_response_head,
)

HIGH_WATER = 2**16
"""Bytes of a request that are held before the client is made to wait."""

LINGER = 2.0
"""How long a client that we refused may go on sending, so that it gets to read why (s)."""

LINGER_BYTES = 2**26
"""How much of that is thrown away before the connection is cut."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE: Field = (b"Connection", b"close")
_KEEP_ALIVE: Field = (b"Connection", b"keep-alive")
_CHUNKED: Field = (b"Transfer-Encoding", b"chunked")
_WITHOUT_BODY = frozenset({204, 304})
_FINAL = 200


class ClientGoneError(ConnectionError):
    """Tell a handler that its client does not listen any more."""


class Handler(Protocol):
    """Answer requests."""

    async def serve(self, connection: "ClientConnection", head: RequestHead) -> None:
        """Answer one request; what it raises becomes the answer unless one was begun."""
        ...

    def refused(self, connection: "ClientConnection", status: int) -> None:
        """Learn that something that is no request was answered."""
        ...


class Register(Protocol):
    """Know the open connections."""

    def opened(self, connection: "ClientConnection") -> bool:
        """Learn of a connection; returns whether there is room for it."""
        ...

    def closed(self, connection: "ClientConnection") -> None:
        """Learn that it is gone."""
        ...


class Terms(msgspec.Struct, frozen=True):
    """Hold what connections obey; a reload gives new ones to connections that are opened then.

    Attributes:
        timeouts: How long a client may take.
        limits: How large what it sends may be.
        body: Largest body, unless a route says otherwise (bytes).
    """

    timeouts: ClientTimeouts
    limits: Limits
    body: int


class ClientConnection(asyncio.Protocol):
    """Serve one client.

    Args:
        handler: Answers its requests.
        register: Knows the open connections.
        terms: What it obeys.
        secure: Whether the listener speaks TLS.

    Attributes:
        neighbour: Address of who is connected to us.
        secure: Whether the listener speaks TLS.
        answered: Status that was sent for the request under way, 0 before.
        sent: Bytes of its answer's body that were sent.
        draining: Whether the request under way is the last one.
        is_gone: Whether the connection is closed.
    """

    __slots__ = (
        "__weakref__",
        "_body_done",
        "_body_size",
        "_chunked",
        "_due",
        "_ending",
        "_fires",
        "_handler",
        "_head",
        "_head_begun",
        "_keep",
        "_lingering",
        "_loop",
        "_most",
        "_parser",
        "_pieces",
        "_reading_paused",
        "_register",
        "_task",
        "_terms",
        "_thrown",
        "_timer",
        "_transport",
        "_waiter",
        "_wants_continue",
        "_writable",
        "_write_paused",
        "answered",
        "draining",
        "is_gone",
        "neighbour",
        "secure",
        "sent",
    )

    def __init__(
        self, handler: Handler, register: Register, terms: Terms, *, secure: bool = False
    ) -> None:
        self.neighbour = ""
        self.secure = secure
        self.answered = 0
        self.sent = 0
        self.draining = False
        self.is_gone = False
        self._handler = handler
        self._register = register
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._parser = RequestParser(terms.limits)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._head: RequestHead | None = None  # of the request under way
        self._head_begun = False  # the next one has begun to come
        self._keep = True
        self._pieces: deque[bytes] = deque()  # of its body, come and not taken
        self._body_size = 0  # bytes of them
        self._body_done = True
        self._most = 0  # bytes that may still come of it
        self._wants_continue = False
        self._waiter: asyncio.Future[None] | None = None  # of who reads the body
        self._ending: Exception | None = None  # why no more of it comes
        self._chunked = False
        self._reading_paused = False
        self._write_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._lingering = False
        self._thrown = 0
        self._due = math.inf  # when what is waited for must have come
        self._fires = math.inf  # when the timer fires, perhaps before that
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, and none has begun to come."""
        return self._head is None and self._parser.is_idle and not self._lingering

    @property
    def has_whole_body(self) -> bool:
        """Whether all of the request's body has come."""
        return self._body_done

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.neighbour = peer[0] if isinstance(peer, tuple) else ""
        if not self._register.opened(self):
            self._head = None
            self.refuse(GatewayError(503, "the gateway has too many connections"))
            return
        self._wait(self._terms.timeouts.idle)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._lingering:
            self._throw_away(len(data))
            return
        self._parser.receive(data)
        if self._head is None:
            self._next_request()
        elif not self._body_done:
            self._take_body()
        elif self._parser.held > HIGH_WATER:
            self._pause_reading()

    def eof_received(self) -> bool:
        """Learn that the client has closed its side: it is gone, or has all that it wants."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self._lose()

    def pause_writing(self) -> None:
        """Stop writing: the client is slower than we are."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._write_paused = False
        _wake(self._writable)

    # What came.

    def _next_request(self) -> None:
        parser = self._parser
        try:
            head = parser.next_event()
        except ProtocolError as error:
            self.refuse(error)
            return
        if head is None:
            self._await_head()
            return
        assert type(head) is RequestHead
        self._due = math.inf
        self._head = head
        self._head_begun = False
        self._keep = head.keep_alive and not self.draining
        self.answered = self.sent = 0
        self._ending = None
        self._chunked = False
        self._body_done = False
        self._most = self._terms.body
        if head.length:
            self._wants_continue = head.expects_continue
            self._take_body()
        else:
            parser.next_event()
            self._body_done = True
        self._task = self._loop.create_task(self._serve(head))

    def _await_head(self) -> None:
        """Bound the wait for the rest of a head by the time of its first byte."""
        self._resume_reading()
        if self._parser.is_idle:
            self._wait(self._terms.timeouts.idle)
        elif not self._head_begun:
            self._head_begun = True
            self._wait(self._terms.timeouts.head)

    def _take_body(self) -> None:
        """Take what has come of the body; what breaks its framing breaks the request."""
        next_event, pieces = self._parser.next_event, self._pieces
        try:
            while (event := next_event()) is not None:
                if type(event) is bytes:
                    pieces.append(event)
                    self._body_size += len(event)
                    self._wants_continue = False
                else:
                    assert type(event) is End
                    self._body_done = True
                    break
        except ProtocolError as error:
            self._break_body(error)
        if self._body_size > HIGH_WATER:
            self._pause_reading()
        elif not self._body_done and self._ending is None:
            self._resume_reading()
        _wake(self._waiter)

    def _break_body(self, error: Exception) -> None:
        self._ending = error
        self._keep = False
        self._pause_reading()
        _wake(self._waiter)

    # For the handler: the request's body.

    def limit_body(self, most: int) -> None:
        """Refuse a body that is larger than `most` bytes.

        Raises:
            GatewayError: It is, as its length says.
        """
        self._most = most
        assert self._head is not None
        if self._head.length > most:
            raise _too_large(most)

    async def read_piece(self) -> bytes:
        """Return what came next of the body, empty at its end.

        Raises:
            GatewayError: It is too large, or does not come.
            ProtocolError: It breaks its framing.
        """
        while not self._pieces:
            if self._ending is not None:
                raise self._ending
            if self._body_done:
                return b""
            await self._more_body()
        pieces = self._pieces
        piece = pieces.popleft() if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._body_size = 0
        self._most -= len(piece)
        if self._most < 0:
            self._keep = False
            raise _too_large()
        if not self._body_done:
            self._resume_reading()
        return piece

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece as it comes; errors are those of `read_piece`."""
        while piece := await self.read_piece():
            yield piece

    async def read_body(self) -> bytes:
        """Return the whole body; errors are those of `read_piece`."""
        if self._body_done and len(self._pieces) <= 1:
            return await self.read_piece()
        return b"".join([piece async for piece in self.pieces()])

    async def _more_body(self) -> None:
        if self._wants_continue:
            self._wants_continue = False
            assert self._transport is not None
            self._transport.write(_CONTINUE)
        self._waiter = self._loop.create_future()
        self._wait(self._terms.timeouts.body)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._due = math.inf

    # For the handler: the answer.

    def answer(self, head: AnswerHead, body: bytes) -> None:
        """Send a whole answer at once."""
        start = self._start(head)
        assert self._transport is not None
        if self._has_no_body(head.status):
            self._transport.write(start)
            return
        self.sent = len(body)
        if self._chunked:
            self._transport.write(start + write_chunk(body) + write_last_chunk())
        else:
            self._transport.write(start + body)

    def begin(self, head: AnswerHead) -> None:
        """Send the head of an answer; its body follows by `write`, its end by `finish`."""
        start = self._start(head)
        assert self._transport is not None
        self._transport.write(start)

    async def write(self, piece: bytes) -> None:
        """Send a piece of the body; returns when the client has taken enough of what was sent.

        Raises:
            ClientGoneError: The client is gone.
        """
        if not piece:
            return
        if self.is_gone or self._transport is None:
            raise ClientGoneError("the client is gone")
        self.sent += len(piece)
        self._transport.write(write_chunk(piece) if self._chunked else piece)
        if self._write_paused:
            await self._until_writable()

    def finish(self, trailer: Iterable[Field] = ()) -> None:
        """Send what ends the body."""
        if self._chunked and self._transport is not None and not self.is_gone:
            self._transport.write(write_last_chunk(trailer))

    @property
    def is_chunked(self) -> bool:
        """Whether the answer that was begun goes in chunks, and may have a trailer."""
        return self._chunked

    def abort(self) -> None:
        """Cut the connection, so that nobody takes half an answer for a whole one."""
        if self._transport is not None:
            self._transport.abort()
        self._lose()

    def switch(self, fields: list[Field]) -> tuple[asyncio.Transport, bytes]:
        """Send a 101 and hand over the connection.

        Returns:
            The transport, and what came already of the new protocol.
        """
        transport = self._transport
        assert transport is not None
        self.answered = 101
        transport.write(write_response_head(101, fields))
        self._cancel_timer()
        return transport, self._parser.rest()

    def released(self) -> None:
        """Learn that what the connection was handed over to has ended."""
        self._lose()

    def _start(self, head: AnswerHead) -> bytes:
        """Return the head as it goes out, framing and connection added."""
        request = self._head
        assert request is not None
        self.answered = head.status
        keep = self._keep = self._keep and self._body_done and not self.draining
        fields = head.fields
        if head.length is not None:
            if head.status != 204 and head.status >= _FINAL:  # noqa: PLR2004 - no content
                fields.append((b"Content-Length", b"%d" % head.length))
        elif not self._has_no_body(head.status):
            if request.minor:
                self._chunked = True
                fields.append(_CHUNKED)
            else:
                keep = self._keep = False
        if not keep:
            fields.append(_CLOSE)
        elif not request.minor:
            fields.append(_KEEP_ALIVE)
        return write_response_head(head.status, fields)

    def _has_no_body(self, status: int) -> bool:
        head = self._head
        return status in _WITHOUT_BODY or (head is not None and head.method == b"HEAD")

    async def _until_writable(self) -> None:
        self._writable = self._loop.create_future()
        self._wait(self._terms.timeouts.write)
        try:
            await self._writable
        finally:
            self._writable = None
            self._due = math.inf

    # How a request ends.

    async def _serve(self, head: RequestHead) -> None:
        try:
            await self._handler.serve(self, head)
        except ClientGoneError:
            self.abort()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._answer_error(error)
        finally:
            self._task = None
        if not self.is_gone:
            self._end_request()

    def _answer_error(self, error: Exception) -> None:
        if self.is_gone:
            return
        if self.answered:
            self.abort()
        else:
            self.reply(problem_of(error))

    def reply(self, reply: Reply) -> None:
        """Send a whole answer of our own, with its date."""
        assert isinstance(reply.body, bytes)
        reply.head.fields.append(DATES.field())
        self.answer(reply.head, reply.body)

    def _end_request(self) -> None:
        if not self._keep or not self._body_done:
            self._close()
            return
        self._head = None
        self._pieces.clear()
        self._body_size = 0
        if self._write_paused:
            self._pause_reading()  # an answer is not read: no further request is either
            self._task = self._loop.create_task(self._resume_later())
            return
        self._resume_for_next()
        self._next_request()

    async def _resume_later(self) -> None:
        await self._until_writable()
        self._task = None
        if not self.is_gone:
            self._resume_for_next()
            self._next_request()

    def _resume_for_next(self) -> None:
        """Read on, unless enough requests wait already that came before."""
        if self._parser.held <= HIGH_WATER:
            self._resume_reading()

    # How the connection ends.

    def refuse(self, error: ProtocolError | GatewayError) -> None:
        """Answer what is no request, and close."""
        self._head = _NO_REQUEST
        self._keep = False
        reply = problem_of(error)
        self._handler.refused(self, reply.head.status)
        self.reply(reply)
        self._close()

    def drain(self) -> None:
        """Make the request under way the last one."""
        self.draining = True

    def close_idle(self) -> None:
        """Close a connection that carries nothing."""
        if self.is_idle and self._transport is not None:
            self._transport.close()

    def _close(self) -> None:
        """Close in stages: a client that still sends gets to read the answer before a reset."""
        transport = self._transport
        if transport is None or self.is_gone:
            return
        if self._body_done and self._parser.is_idle and self._ending is None:
            transport.close()
            return
        self._lingering = True
        self._pieces.clear()
        if transport.can_write_eof():
            transport.write_eof()
        self._resume_reading()
        self._wait(LINGER)

    def _throw_away(self, size: int) -> None:
        self._thrown += size
        if self._thrown > LINGER_BYTES:
            self.abort()

    def _lose(self) -> None:
        if self.is_gone:
            return
        self.is_gone = True
        self._cancel_timer()
        self._break_body(ClientGoneError("the client is gone"))
        _wake(self._writable)
        if self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()
        self._register.closed(self)

    # How long it waits.

    def _wait(self, seconds: float) -> None:
        """Bound the wait that begins now."""
        self._due = due = self._loop.time() + seconds
        if due < self._fires:
            self._cancel_timer()
            self._fires = due
            self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._fires = math.inf
        due = self._due
        if due == math.inf or self.is_gone:
            return
        if self._loop.time() < due:
            self._fires = due
            self._timer = self._loop.call_at(due, self._on_timer)
            return
        self._due = math.inf
        self._run_late()

    def _run_late(self) -> None:
        """Give up what did not come in time."""
        assert self._transport is not None
        if self._waiter is not None:
            self._break_body(GatewayError(408, "the body of the request did not come in time"))
        elif self._lingering or self._write_paused:
            self.abort()
        elif self._parser.is_idle:
            self._transport.close()
        else:
            self.refuse(GatewayError(408, "the request did not come in time"))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._fires = math.inf

    def _pause_reading(self) -> None:
        if not self._reading_paused and self._transport is not None and not self.is_gone:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading_paused:
            return
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


_NO_REQUEST = RequestHead(b"GET", b"/", 1, [], {}, 0, False, b"", b"/")
"""Stands for what was no request, while it is answered."""


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _too_large(most: int | None = None) -> GatewayError:
    bound = "" if most is None else f" of {most} bytes"
    return GatewayError(413, f"the body of the request is larger than the bound{bound}")
