"""A link to a server that can hold replies, cut connections, and be gone."""

import asyncio
from types import TracebackType
from typing import Self

from loadpath.local.ports import LOOPBACK


class Link:
    """Pass bytes between clients and a server on loopback.

    Args:
        port: The server's port.

    Attributes:
        port: The link's own port.
        flowing: Set while replies pass; clear it to hold them.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.replies = 0
        self._sending = asyncio.Event()
        self._sending.set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port: int = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def url(self, url: str) -> str:
        """Return the server's URL with the link's port."""
        return url.replace(f":{self._server_port}/", f":{self.port}/")

    def cut(self) -> None:
        """End every connection that passes."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def hold_requests(self) -> asyncio.Event:
        """Hold what the connections of now send until the event is set; later ones are free."""
        held, self._sending = self._sending, asyncio.Event()
        self._sending.set()
        held.clear()
        return held

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._server_port)
            self._writers.add(far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, far_writer, self._sending, replies=False))
                group.create_task(self._pass(far_reader, writer, self.flowing, replies=True))
        except* OSError:
            pass
        finally:
            for each in (writer, far_writer):
                each.transport.abort()
                self._writers.discard(each)
            self._tasks.discard(task)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flowing: asyncio.Event,
        *,
        replies: bool,
    ) -> None:
        while data := await reader.read(65_536):
            await flowing.wait()
            self.replies += replies
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
