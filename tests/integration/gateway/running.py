"""A gateway in this process as its settings file says it, and a client of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from loadpath.gateway.gateway import Gateway
from loadpath.gateway.reading import read_settings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.http import ConnectionPool, Origin, Request, Response
from loadpath.local.ports import free_ports


class Answer(NamedTuple):
    """Hold a whole answer.

    Attributes:
        status: Its status.
        fields: Its fields by name in lower case.
        body: Its body.
    """

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """Ask one gateway.

    Args:
        gateway: The gateway.
        folder: Where its settings are written.
        port: Where it listens.
        pool: Connections to it.
    """

    def __init__(self, gateway: Gateway, folder: Path, port: int, pool: ConnectionPool) -> None:
        self.gateway = gateway
        self.port = port
        self._folder = folder
        self._pool = pool

    async def get(
        self, path: str, *, method: str = "GET", body: bytes = b"", **fields: str
    ) -> Answer:
        """Return an answer; `If_Match="x"` sends `If-Match: x`."""
        response = await self.open(path, method=method, body=body, **fields)
        read = await response.read()
        got = {name.decode().lower(): value.decode() for name, value in response.fields}
        return Answer(response.status, got, read)

    async def open(
        self, path: str, *, method: str = "GET", body: bytes = b"", **fields: str
    ) -> Response:
        """Return an answer whose body is not read."""
        named = [(name.replace("_", "-").encode(), each.encode()) for name, each in fields.items()]
        request = Request(method.encode(), path.encode(), named, body)
        return await self._pool.request(Origin("127.0.0.1", self.port), request)

    async def statuses(self, count: int, path: str, **fields: str) -> list[int]:
        """Return the statuses of many requests at once."""
        answers = await asyncio.gather(*(self.get(path, **fields) for _ in range(count)))
        return [each.status for each in answers]

    async def reload(self, document: str) -> None:
        """Serve other settings."""
        settings = await asyncio.to_thread(written, self._folder, document, self.port)
        await self.gateway.reload(settings)


def written(folder: Path, document: str, port: int) -> GatewaySettings:
    """Write settings and read them."""
    path = folder / f"{port}.toml"
    path.write_text(f'listeners = [{{port = {port}}}]\nlog = {{access = ""}}\n{document}')
    return read_settings(path)


@asynccontextmanager
async def gateway(folder: Path, document: str) -> AsyncIterator[Client]:
    """Run a gateway; no task of it is left at the end."""
    (port,) = free_ports(1)
    settings = await asyncio.to_thread(written, folder, document, port)
    before = asyncio.all_tasks()
    async with Gateway(settings) as running, ConnectionPool() as pool:
        yield Client(running, folder, port, pool)
    assert not [each for each in asyncio.all_tasks() - before if _is_ours(each)]


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Return whether a task is one of the gateway, and not of a server that a test restarted."""
    code = getattr(task.get_coro(), "cr_code", None)
    return (
        code is not None and "loadpath/local" not in code.co_filename and "src/" in code.co_filename
    )


async def open_files() -> dict[str, str]:
    """Return the files and sockets that this process has open."""
    return await asyncio.to_thread(_open_files)


def _open_files() -> dict[str, str]:
    found = {}
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself was one
            found[each.name] = str(each.readlink())
    return found


async def until(files: dict[str, str]) -> None:
    """Return when no more files than these are open."""
    for _ in range(1_000):
        opened = await open_files()
        if len(opened) <= len(files):
            return
        await asyncio.sleep(0.01)
    left = {name: file for name, file in opened.items() if file not in files.values()}
    raise AssertionError(f"still open: {left}")
