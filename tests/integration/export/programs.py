"""Run a written file by the real program, and see which backend answers."""

import asyncio
import os
import shutil
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from loadpath.local.programs import NGINX, find_program

PROGRAM = find_program(NGINX)
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
needs_haproxy = pytest.mark.skipif(HAPROXY is None, reason="the program haproxy is not installed")


class Backend:
    """Answer every request with a name and what was asked, once it may.

    Attributes:
        asked: The heads of all requests.
        held: Requests that wait to be answered.
        may_answer: Whether requests are answered at once.
        statuses: What is answered at a path, where that is not 200.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []
        self.connections = 0
        self.address = ""
        self.held = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.statuses: dict[str, int] = {}

    async def start(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked.append(head)
                self.held += 1
                await self.may_answer.wait()
                self.held -= 1
                body = self.name.encode()
                status = self.statuses.get(head.split()[1], 200)
                writer.write(b"HTTP/1.1 %d OK\r\nX-Gone: y\r\n" % status)
                writer.write(b"Content-Length: %d\r\n" % len(body))
                writer.write(b"\r\n" + (b"" if head.startswith("HEAD ") else body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def backends(names: Iterable[str]) -> AsyncIterator[dict[str, Backend]]:
    """Run backends until the end of the block."""
    found = {name: Backend(name) for name in names}
    async with AsyncExitStack() as stack:
        for each in found.values():
            await stack.enter_async_context(await each.start())
        yield found


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write(folder: Path, text: str) -> None:
    """Write the file into a folder that nginx's workers may enter."""
    (folder / "nginx.conf").write_text(text)
    folder.chmod(0o755)


async def checked(folder: Path, text: str) -> str:
    """Return what `nginx -t` says about a file; it must take it."""
    await asyncio.to_thread(write, folder, text)
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM.path), "-t", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@asynccontextmanager
async def nginx(folder: Path, text: str, port: int) -> AsyncIterator[None]:
    """Run an nginx by a whole file until the end of the block."""
    await asyncio.to_thread(write, folder, text)
    account = "user root;" if os.geteuid() == 0 else ""
    command = [str(PROGRAM.path), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    async with _running(port, *command, "-g", f"daemon off; pid nginx.pid; {account}"):
        yield


@asynccontextmanager
async def haproxy(folder: Path, text: str, port: int) -> AsyncIterator[None]:
    """Run an HAProxy by a whole file until the end of the block."""
    assert HAPROXY is not None
    file = folder / f"haproxy-{port}.cfg"
    await asyncio.to_thread(file.write_text, text)
    async with _running(port, HAPROXY, "-db", "-f", str(file)):
        yield


@asynccontextmanager
async def _running(port: int, *command: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _listening(port, process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(500):
        assert process.returncode is None
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError(port)


class Client:
    """Send requests on one connection."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(
        self, target: str, method: str = "GET", **fields: str
    ) -> tuple[int, dict[str, str], str]:
        """Return status, fields and body of an answer."""
        fields = {"Host": "x", **{name.replace("_", "-"): value for name, value in fields.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._writer.write(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode())
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        found = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
        size = int(found.get("content-length", 0))
        body = "" if method == "HEAD" else (await self._reader.readexactly(size)).decode()
        return int(first.split()[1]), found, body


@asynccontextmanager
async def client(port: int, source: str = "127.0.0.1") -> AsyncIterator[Client]:
    """Keep one connection, from an address of the loopback, until the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
