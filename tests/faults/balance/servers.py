"""Servers that misbehave, and what is left of the connections to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from loadpath.balance import Endpoint
from loadpath.local import probes

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; a minute at most."""

    async def holds() -> bool:
        return condition()

    async with asyncio.timeout(60):
        await probes.until(holds)


class Misbehaving:
    """Hold a running server: its endpoint, and how many connections it has and had."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.accepted = 0

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return Endpoint(host="127.0.0.1", port=self.port)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Misbehaving]:
    """Run a server whose connections are handled so."""
    state, tasks = Misbehaving(), set[asyncio.Task[None]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.connections += 1
        state.accepted += 1
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            state.connections -= 1
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await until(lambda: not tasks)
        await server.wait_closed()


def saying(answer: bytes) -> Handler:
    """Say something as soon as something comes, and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)
        await writer.drain()

    return handler


def then_silent(answer: bytes) -> Handler:
    """Say something and nothing more; the connection stays open until the other side goes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)
        await reader.read()

    return handler


def dripping(byte: bytes) -> Handler:
    """Say a byte now and then, for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        while True:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.005)

    return handler


def flooding(block: bytes) -> Handler:
    """Say a block again and again, as fast as it is taken."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        while True:
            writer.write(block)
            await writer.drain()

    return handler
