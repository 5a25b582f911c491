"""Servers that misbehave on purpose, each in one coroutine, and an honest one beside them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

from loadpath.http import (
    LAST_CHUNK,
    End,
    Origin,
    RequestHead,
    RequestParser,
    write_chunk,
    write_response_head,
)
from loadpath.local.probes import until

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, limit: int = 2**16
) -> AsyncIterator[Origin]:
    """Run a server that does the same with every connection; all are closed at the end."""
    running: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls, limit=limit)
    try:
        port = server.sockets[0].getsockname()[1]
        yield Origin("127.0.0.1", port, tls is not None)
    finally:
        server.close()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        await server.wait_closed()


def saying(answer: bytes, *, then: str = "close", per_byte: float | None = None) -> Script:
    """Return a script that gives every request this answer.

    Args:
        answer: What it says.
        then: `close`, `hang`, or `again`.
        per_byte: Seconds between two bytes of it; None for all at once.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if per_byte is None:
                writer.write(answer)
            else:
                for byte in answer:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(per_byte)
            await writer.drain()
            if then == "hang":
                await reader.read()
                await asyncio.sleep(60)
            if then != "again":
                return

    return script


class Echo(asyncio.Protocol):
    """Answer each request with its path, in the way that its query asks for.

    `?chunked`, `?slow`, `?close`, `?large`, `?none`; anything else is a short answer at once.
    """

    open_connections = 0

    def __init__(self) -> None:
        self._parser = RequestParser()
        self._transport: asyncio.Transport | None = None
        self._head: RequestHead | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no common base
        Echo.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        Echo.open_connections -= 1

    def data_received(self, data: bytes) -> None:
        """Take requests one after the other."""
        self._parser.receive(data)
        while (event := self._parser.next_event()) is not None:
            if isinstance(event, RequestHead):
                self._head = event
            elif isinstance(event, End):
                assert self._head is not None
                path, _, way = self._head.path.partition(b"?")
                if way == b"slow":
                    asyncio.get_running_loop().call_later(0.002, self._answer, path, way)
                else:
                    self._answer(path, way)

    def _answer(self, path: bytes, way: bytes) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        if way == b"none":
            self._transport.abort()
            return
        body = path * (20_000 if way == b"large" else 1)
        if way == b"chunked":
            head = write_response_head(200, [(b"Transfer-Encoding", b"chunked")])
            self._transport.write(head)
            self._transport.write(write_chunk(body[:3]))
            self._transport.write(write_chunk(body[3:]) + LAST_CHUNK)
            return
        fields = [(b"Content-Length", b"%d" % len(body))]
        if way == b"close":
            fields.append((b"Connection", b"close"))
        self._transport.write(write_response_head(200, fields) + body)
        if way == b"close":
            self._transport.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[Origin]:
    """Run the honest server."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    try:
        yield Origin("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()
        await none_open()


async def eventually(holds: Callable[[], bool], *, within: float = 10.0) -> None:
    """Wait until something holds, and not for ever."""

    async def probe() -> bool:
        return holds()

    async with asyncio.timeout(within):
        await until(probe)


async def none_open() -> None:
    """Wait until no client is connected to the honest server."""
    await eventually(lambda: Echo.open_connections == 0)
