"""One connection, one request at a time: raw asyncio, timeouts, back-pressure both ways.

A connection is either clean, and then may carry the next request, or it is closed. Whatever leaves
an exchange unfinished (an error, a timeout, a caller that is cancelled) closes it.

Source: RFC 9112 section 9 (connection management), 9.5 (failures and timeouts).
"""

import asyncio
import math
import ssl
import weakref
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Protocol, cast

from loadpath.http.errors import (
    BodyLostError,
    BodyTimeoutError,
    ConnectError,
    ConnectTimeoutError,
    ProtocolError,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
)
from loadpath.http.heads import ResponseHead
from loadpath.http.limits import LIMITS, Limits
from loadpath.http.origin import Origin
from loadpath.http.parsers import End, ResponseParser
from loadpath.http.request import TIMEOUTS, Outgoing, Request, Timeouts, outgoing
from loadpath.http.response import Response
from loadpath.http.writing import LAST_CHUNK, write_chunk

HIGH_WATER = 2**16
"""Bytes of a body that are held for a slow reader before the peer is made to wait."""

_PIECE = 2**18


class Keeper(Protocol):
    """Hear what becomes of a connection."""

    def freed(self, connection: "Connection") -> None:
        """Learn that it is clean and carries nothing."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Learn that it is closed, or somebody else's; told once."""
        ...

    def ended(self, connection: "Connection") -> None:
        """Learn that nothing of it is left; told once, after `lost`."""
        ...


class Connection(asyncio.Protocol):
    """Carry requests to one server, one after the other; made by `connect`.

    Args:
        origin: Whom it leads to.
        limits: How large the parts of a response may be.

    Attributes:
        keeper: Who hears what becomes of it.
        origin: Whom it leads to.
        exchanges: Requests that it has begun to carry.
        idle_since: When it last became free, by the loop's clock (s).
        stale: Whether the last exchange ended before any byte of a response came.
    """

    def __init__(self, origin: Origin, *, limits: Limits = LIMITS) -> None:
        self.origin = origin
        self.exchanges = 0
        self.idle_since = 0.0
        self.stale = False
        self._authority = origin.authority
        self.keeper: Keeper | None = None
        self._parser = ResponseParser(limits)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.Future[Response] | None = None  # set while a head is awaited
        # The one whose body is coming; who lost sight of it must not lose the connection with it.
        self._response: weakref.ref[Response] | None = None
        self._sent = True  # the whole request has been handed to the transport
        self._keep = True  # the request does not ask for a close
        self._may_switch = False  # the request asks for another protocol
        self._answered = False  # a byte of the response has come
        self._sender: asyncio.Task[None] | None = None
        self._timeouts = TIMEOUTS
        self._total = math.inf  # when the exchange must be over
        self._read_due = math.inf  # when something of the response must have come
        self._write_due = math.inf  # when the peer must have taken something
        self._fires = math.inf  # when the timer fires, perhaps before anything is due
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._closed = False
        self._transport_ended = False
        self._ended = asyncio.Event()

    @property
    def is_free(self) -> bool:
        """Whether it may carry a request now."""
        return not self._closed and self._sent and self._head is None and self._response is None

    async def exchange(
        self, request: Request, *, timeouts: Timeouts = TIMEOUTS, deadline: float = math.inf
    ) -> Response:
        """Send a request and return its response as soon as the head is there.

        Args:
            request: What to send.
            timeouts: Bounds of the waits.
            deadline: When all must be over, by the loop's clock (s).

        Raises:
            ResponseLostError: The connection ended before a response head came.
            ResponseTimeoutError: The head did not come in time.
            ResponseInvalidError: What came is no response.
            ValueError: The request cannot be sent as it is.
            RuntimeError: The connection is closed or carries another request.
        """
        return await self.carry(outgoing(request, self._authority), timeouts, deadline)

    async def carry(self, sending: Outgoing, timeouts: Timeouts, deadline: float) -> Response:
        """Send what is written out already; otherwise as `exchange`."""
        head = self._begin(sending, timeouts, deadline)
        try:
            await self._send(sending)
            return await head
        except BaseException:
            self._abandon(head)
            raise

    def abort(self) -> None:
        """Close it now, whatever it carries."""
        if self._transport is not None and not self._closed:
            self._transport.abort()
            self._lose(None)

    async def wait_ended(self) -> None:
        """Wait until nothing of it is left: the socket is closed, and no body is being sent."""
        await self._ended.wait()

    def taken(self, held: int) -> None:
        """Learn that a reader took a piece of the body. For the response."""
        if self._read_paused and held < HIGH_WATER and self._transport is not None:
            self._read_paused = False
            self._transport.resume_reading()

    def body_awaited(self) -> "asyncio.Future[None]":
        """Return a future for the next piece of the body; the wait is bounded. For the response."""
        self._wait(self._timeouts.read)
        return self._loop.create_future()

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Hand over the transport after a switch of protocols. For the response."""
        if not self._parser.switched or self._closed or self._transport is None:
            raise RuntimeError("this connection was not switched to another protocol")
        transport, rest = self._transport, self._parser.rest()
        self._lose(None)
        self._transport_ended = True
        self._settle()
        return transport, rest

    def _abandon(self, head: "asyncio.Future[Response]") -> None:
        """Leave nothing of an exchange whose caller is gone."""
        if head.done() and not head.cancelled() and head.exception() is None:
            head.result().close()  # the connection may be free, and carry another's request by now
            return
        head.cancel()
        self.abort()

    def _begin(
        self, sending: Outgoing, timeouts: Timeouts, deadline: float
    ) -> "asyncio.Future[Response]":
        if not self.is_free:
            raise RuntimeError("the connection is closed or carries another request")
        self._parser.expect(sending.method)
        self.exchanges += 1
        self._timeouts = timeouts
        self._total = deadline
        self._sent = self._answered = False
        self._keep = sending.framing.keep_alive
        self._may_switch = sending.framing.may_switch
        self._head = head = self._loop.create_future()
        return head

    async def _send(self, sending: Outgoing) -> None:
        """Send all of a small body; of another begin to, in a task of its own.

        A server may answer, or want its answer read, before it has all of the body.
        """
        assert self._transport is not None
        body = sending.body
        if body is None:
            self._transport.write(sending.head)
        elif isinstance(body, bytes) and len(body) <= _PIECE:
            self._transport.write(sending.head + body)
        else:
            self._transport.write(sending.head)
            pieces = _sliced(body) if isinstance(body, bytes) else body
            self._sender = self._loop.create_task(self._send_pieces(sending, pieces))
            self._sender.add_done_callback(self._sender_ended)
            return
        if self._write_paused:
            await self._until_writable()
        if self._head is not None:  # neither answered already, nor lost
            self._sent = True
            self._wait(self._timeouts.read)

    async def _send_pieces(
        self, sending: Outgoing, body: AsyncIterable[bytes] | AsyncIterable[memoryview]
    ) -> None:
        transport = self._transport
        assert transport is not None
        framing = sending.framing
        left = framing.length
        async for piece in body:
            if self._write_paused:
                await self._until_writable()
            left -= len(piece)
            if left < 0 and not framing.chunked:
                raise ValueError(f"the body is longer than its Content-Length, {framing.length}")
            transport.write(write_chunk(bytes(piece)) if framing.chunked else piece)
        if framing.chunked:
            transport.write(LAST_CHUNK)
        elif left:
            raise ValueError(f"the body is shorter than its Content-Length, {framing.length}")
        self._sent = True

    def _sender_ended(self, sender: "asyncio.Task[None]") -> None:
        self._sender = None
        error = None if sender.cancelled() else sender.exception()
        if error is not None and not self._closed:
            self._give_up(error)
        elif self._head is not None:
            self._wait(self._timeouts.read)
        self._settle()

    async def _until_writable(self) -> None:
        """Wait until the peer has taken enough, answered, or is gone."""
        self._writable = self._loop.create_future()
        self._write_due = self._loop.time() + self._timeouts.write
        self._arm()
        try:
            await self._writable
        finally:
            self._writable = None
            self._write_due = math.inf

    def _wake_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no common base

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._answered = True
        self._parser.receive(data)
        try:
            self._take_events()
        except ProtocolError as error:
            self._refuse(error)

    def _take_events(self) -> None:
        next_event = self._parser.next_event
        while not self._closed:
            event = next_event()
            if type(event) is bytes:
                self._take_piece(event)
            elif type(event) is ResponseHead:
                self._take_head(event)
            elif type(event) is End:
                self._finish(event)
                return
            else:
                return

    def eof_received(self) -> None:
        """Learn that the peer has closed its side; so do we."""
        self._parser.receive_end()
        with suppress(ProtocolError):  # what is missing is told as a loss
            event = self._parser.next_event()
            if type(event) is End:
                self._finish(event)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._lose(exc)
        self._transport_ended = True
        self._settle()

    def pause_writing(self) -> None:
        """Stop sending: the peer is slower than we are."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Go on sending."""
        self._write_paused = False
        self._wake_writer()

    # What came.

    def _take_head(self, head: ResponseHead) -> None:
        if head.status < 200 and head.status != 101:  # noqa: PLR2004 - interim
            return
        if self._head is None or self._head.done():
            self.abort()  # the caller is gone
            return
        if head.status == 101 and not self._may_switch:  # noqa: PLR2004 - switching protocols
            raise ProtocolError("a 101 came that nobody asked for")
        response = Response(head, self)
        self._response = weakref.ref(response)
        self._head.set_result(response)
        self._head = None
        self._read_due = math.inf
        self._wake_writer()

    def _current(self) -> Response | None:
        return None if self._response is None else self._response()

    def _take_piece(self, piece: bytes) -> None:
        response = self._current()
        if response is None:
            self.abort()
            return
        self._read_due = math.inf
        held = response.push(piece)
        if held >= HIGH_WATER and not self._read_paused and self._transport is not None:
            self._read_paused = True
            self._transport.pause_reading()

    def _finish(self, end: End) -> None:
        response, self._response = self._current(), None
        if response is None:
            self.abort()
            return
        response.finish(end.trailer)
        self._total = self._read_due = math.inf
        if self._parser.switched:
            assert self._transport is not None
            self._transport.pause_reading()
            return
        response.release()
        if not (self._sent and self._keep and response.head.keep_alive and self._parser.is_idle):
            self.abort()
            return
        if self._read_paused and self._transport is not None:
            self._read_paused = False
            self._transport.resume_reading()
        if self.keeper is not None:
            self.keeper.freed(self)

    def _refuse(self, error: ProtocolError) -> None:
        """Close a connection on which something else than a response came."""
        if self._response is not None:
            failure: Exception = BodyLostError(f"{self.origin} broke off its response: {error}")
        else:
            failure = ResponseInvalidError(f"{self.origin} sent no response of HTTP/1.1: {error}")
        failure.__cause__ = error
        self._give_up(failure)

    # How it ends.

    def _give_up(self, error: BaseException) -> None:
        """Tell whoever waits, and close."""
        self._fail(error)
        self.abort()

    def _fail(self, error: BaseException) -> None:
        head, self._head = self._head, None
        if head is not None and not head.done():
            head.set_exception(error)
        response, self._response = self._current(), None
        if response is not None:
            response.fail(error if isinstance(error, Exception) else BodyLostError(str(error)))

    def _lose(self, error: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self.stale = not self._answered
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sender is not None:
            self._sender.cancel()
        self._fail(self._loss(error))
        self._wake_writer()
        if self.keeper is not None:
            self.keeper.lost(self)

    def _settle(self) -> None:
        """Tell when nothing is left."""
        if self._transport_ended and self._sender is None and not self._ended.is_set():
            self._ended.set()
            if self.keeper is not None:
                self.keeper.ended(self)

    def _loss(self, error: Exception | None) -> Exception:
        why = f"{error}" if error is not None else "it was closed"
        if self._response is not None:
            loss: Exception = BodyLostError(f"the response of {self.origin} is not whole: {why}")
        else:
            loss = ResponseLostError(f"the connection to {self.origin} ended: {why}")
        loss.__cause__ = error
        return loss

    # How long it waits: the timer fires no later than what is due, and again when it was early.

    def _wait(self, seconds: float) -> None:
        """Bound the wait for something of the response that begins now."""
        self._read_due = due = self._loop.time() + seconds
        if due < self._fires or self._total < self._fires:
            self._arm()

    def _arm(self) -> None:
        due = min(self._total, self._read_due, self._write_due)
        if due < self._fires:
            if self._timer is not None:
                self._timer.cancel()
            self._fires = due
            self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._fires = math.inf
        due = min(self._total, self._read_due, self._write_due)
        if self._loop.time() < due:
            self._arm()
        elif self._response is not None:
            self._give_up(BodyTimeoutError(f"the response of {self.origin} did not come whole"))
        else:
            self._give_up(ResponseTimeoutError(f"{self.origin} did not answer in time"))


async def _sliced(body: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(body)
    for at in range(0, len(view), _PIECE):
        yield view[at : at + _PIECE]


async def connect(
    origin: Origin,
    *,
    tls: ssl.SSLContext | None = None,
    timeout: float = TIMEOUTS.connect,  # noqa: ASYNC109 - one of several that the caller names
    limits: Limits = LIMITS,
) -> Connection:
    """Connect to a server.

    Args:
        origin: Whom to connect to.
        tls: Settings of TLS where the origin speaks it; None for `client_context()`.
        timeout: Seconds until the connection must be there, TLS included.
        limits: How large the parts of a response may be.

    Raises:
        ConnectError: The server refused, is not there, or has no certificate that holds.
        ConnectTimeoutError: It did not accept in time.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout if timeout < math.inf else None):
            context = None
            if origin.tls:
                context = tls or await loop.run_in_executor(None, client_context)
            _, connection = await loop.create_connection(
                lambda: Connection(origin, limits=limits),
                origin.host,
                origin.port,
                ssl=context,
                server_hostname=(origin.server_name or origin.host) if origin.tls else None,
            )
    except TimeoutError as error:
        raise ConnectTimeoutError(f"{origin} did not accept within {timeout:g} s") from error
    except (OSError, ssl.CertificateError) as error:
        raise ConnectError(f"cannot connect to {origin}: {error}") from error
    return connection


def client_context() -> ssl.SSLContext:
    """Return settings of TLS that verify the server against the system's authorities."""
    context = ssl.create_default_context()
    with suppress(NotImplementedError):
        context.set_alpn_protocols(["http/1.1"])
    return context
