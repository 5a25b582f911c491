"""A gateway between raw clients and backends that do what a test wants."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import msgspec

from loadpath.gateway.gateway import Gateway
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.local.ports import free_ports

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Backend:
    """Serve one port by a handler for each connection.

    Attributes:
        port: Where.
        heads: Heads of the requests that came.
        bodies: Their bodies.
        open: Connections that are open.
    """

    def __init__(self, handler: Handler | None = None) -> None:
        self.port = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.open = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self._handler = handler or self.echo
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where, as an endpoint."""
        return f"127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["Backend"]:
        """Serve until the block ends."""
        await self.start(port)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, port: int = 0) -> None:
        """Begin."""
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End, connections included."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._handler(reader, writer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """Return the next request, whole, and remember it."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        body = b""
        if (length := LENGTH.search(head)) is not None:
            body = await reader.readexactly(int(length[1]))
        elif b"transfer-encoding" in head.lower():
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        self.bodies.append(body)
        return head + body

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request with its own body."""
        while True:
            head = await self.read(reader)
            body = self.bodies[-1]
            start = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(start if head.startswith(b"HEAD ") else start + body)
            await writer.drain()

    async def fixed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request with `answer`."""
        while True:
            await self.read(reader)
            writer.write(self.answer)
            await writer.drain()


def settings_for(
    *backends: Backend, route: Mapping[str, Any] = {}, upstream: Mapping[str, Any] = {}, **more: Any
) -> GatewaySettings:
    """Return settings with one route to the backends on a free port."""
    (port,) = free_ports(1)
    document = {
        "listeners": [{"port": port}],
        "admin": None,
        "log": {"access": ""},
        "upstreams": {
            "api": {"endpoints": [{"address": each.address} for each in backends], **upstream}
        },
        "routes": [{"name": "all", "targets": [{"upstream": "api"}], **route}],
        **more,
    }
    return msgspec.convert(document, GatewaySettings)


@asynccontextmanager
async def between(
    handler: Handler | Backend | None = None,
    *,
    route: Mapping[str, Any] = {},
    upstream: Mapping[str, Any] = {},
    **more: Any,
) -> AsyncIterator[tuple[Gateway, Backend]]:
    """Run a gateway before one backend; at the end nothing of either may be left."""
    backend = handler if isinstance(handler, Backend) else Backend(handler)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(backend.serving())
        settings = settings_for(backend, route=route, upstream=upstream, **more)
        gateway = await stack.enter_async_context(Gateway(settings))
        yield gateway, backend
    assert_nothing_held(gateway)


def assert_nothing_held(gateway: Gateway) -> None:
    """Fail when a connection, a permit or a request is left of a gateway that has ended."""
    assert len(gateway.connections) == 0
    for service in gateway.plane.live.services.values():
        assert service.calls == 0
        snapshot = service.upstream.snapshot()
        assert snapshot.pool.connections == 0
        assert all(each.in_flight == 0 for each in snapshot.endpoints)
    assert all(figures.under_way == 0 for figures in gateway.generations.figures.values())


async def until(good: Callable[[], bool], *, patience: float = 5.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(patience):
        while not good():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def port_of(gateway: Gateway) -> int:
    """Return where a gateway listens."""
    return gateway.settings.listeners[0].port


async def talk(gateway: Gateway, data: bytes, *, patience: float = 5.0) -> bytes:
    """Send data, and return everything that comes until the gateway closes, or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
    try:
        writer.write(data)
        return await read_all(reader, patience=patience)
    finally:
        writer.transport.abort()


async def read_all(reader: asyncio.StreamReader, *, patience: float = 5.0) -> bytes:
    """Return everything until the end."""
    came = b""
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(patience):
            while piece := await reader.read(2**16):
                came += piece
    return came


async def ask(
    gateway: Gateway, request: bytes, *, patience: float = 5.0
) -> tuple[int, bytes, bytes]:
    """Send one request and close; returns status, head and body of the answer."""
    return split(await talk(gateway, request, patience=patience))


def split(came: bytes) -> tuple[int, bytes, bytes]:
    """Return status, head and body of the first final answer."""
    while came.startswith(b"HTTP/1.1 1") and not came.startswith(b"HTTP/1.1 101"):
        came = came.partition(b"\r\n\r\n")[2]
    head, _, body = came.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), head, body


def get(path: str = "/", *fields: str, method: str = "GET") -> bytes:
    """Return a request that closes the connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.example.com", "Connection: close", *fields]
    return "\r\n".join([*lines, "", ""]).encode()
