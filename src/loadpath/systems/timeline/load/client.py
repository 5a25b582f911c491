"""A lean HTTP/1.1 client: the generator shares two cores with the system that it measures.

One request at a time per connection, kept open between requests, at most `connections` of them.
What a caller must be able to tell apart, it can: nothing was sent (`NotSentError`) or the answer
never came (`AnswerLostError`, in doubt).

Source: RFC 9112 (HTTP/1.1 messages, persistent connections).
"""

import asyncio
from types import TracebackType
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

import httptools

from loadpath.core.errors import InDoubtError, RejectedError


class NotSentError(RejectedError, ConnectionError):
    """Report that no connection could be made, so that nothing was sent."""


class AnswerLostError(InDoubtError, ConnectionError):
    """Report that a request was sent and its answer never came whole."""


class Answer(NamedTuple):
    """Hold what the server answered.

    Attributes:
        status: Status code.
        body: The body, whole.
    """

    status: int
    body: bytes


class Client:
    """Send requests to one server over kept connections.

    Args:
        url: Scheme `http`, host and port of the server.
        connections: Most connections at once; a request over that waits for one.
        connect_timeout: Seconds to wait for a connection to be made.
    """

    def __init__(self, url: str, *, connections: int = 256, connect_timeout: float = 2.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"url must look like http://127.0.0.1:8000, not {url!r}")
        if connections < 1:
            raise ValueError(f"connections must be at least 1, not {connections}")
        self._host = parts.hostname
        self._port = parts.port or 80
        self._head = f" HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
        self._connect_timeout = connect_timeout
        self._places = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._idle:
            self._idle.pop().close()

    async def get(self, path: str, *, headers: bytes = b"", patience: float = 10.0) -> Answer:
        """Return the answer to a GET.

        Args:
            path: Path and query.
            headers: Further header lines, each with its CRLF.
            patience: Seconds until the answer must be there whole.

        Raises:
            NotSentError: No connection could be made, or had, in time.
            AnswerLostError: The answer never came whole.
        """
        request = b"GET " + path.encode() + self._head + headers + b"\r\n"
        return await self._send(request, patience)

    async def post(
        self, path: str, body: bytes, *, headers: bytes = b"", patience: float = 10.0
    ) -> Answer:
        """Return the answer to a POST of JSON.

        Args:
            path: Path and query.
            body: JSON.
            headers: Further header lines, each with its CRLF.
            patience: Seconds until the answer must be there whole.

        Raises:
            NotSentError: No connection could be made, or had, in time.
            AnswerLostError: The answer never came whole.
        """
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        head = b"POST " + path.encode() + self._head + headers + length.encode()
        return await self._send(head + body, patience)

    async def _send(self, request: bytes, patience: float) -> Answer:
        sending = False
        try:
            async with asyncio.timeout(patience), self._places:
                connection = self._reuse() or await self._connect()
                sending = True
                return await self._exchange(connection, request)
        except TimeoutError as error:
            kind = AnswerLostError if sending else NotSentError
            raise kind(f"no answer within {patience:.3g} s") from error

    async def _exchange(self, connection: "_Connection", request: bytes) -> Answer:
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()  # the rest of the answer must not meet the next request
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _reuse(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, made = await loop.create_connection(_Connection, self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise NotSentError(f"cannot connect to {self._host}:{self._port}: {error}") from error
        return made


class _Connection(asyncio.Protocol):
    """Hold one connection and the answer that it waits for."""

    def __init__(self) -> None:
        self.reusable = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._waiter: asyncio.Future[Answer] | None = None

    async def exchange(self, request: bytes) -> Answer:
        assert self._transport is not None
        self.reusable = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no common base
        self.reusable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was lost: {exc or 'closed by the server'}")

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"not an HTTP answer: {error}")
            self.close()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        self._body.clear()
        self.reusable = bool(self._parser.should_keep_alive())
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(self._parser.get_status_code(), body))

    def _fail(self, why: str) -> None:
        self.reusable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(AnswerLostError(why))
