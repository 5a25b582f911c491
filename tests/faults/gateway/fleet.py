"""A gateway as its users run it: the command, its workers, its admin port."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loadpath.local.ports import free_ports

SETTINGS = """
workers = {workers}
listeners = [{{port = {port}}}]
admin = {{port = {admin}}}
log = {{access = "{log}"}}
timeouts = {{drain = 5.0}}
{more}
[upstreams.api]
{upstream}
[[routes]]
name = "all"
targets = [{{upstream = "api"}}]
"""


class Fleet:
    """Hold a running gateway.

    Attributes:
        port: Where it serves.
        admin: Where its admin API is.
        file: Its settings.
        process: The supervisor.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.port, self.admin = free_ports(2)
        self.file = folder / "gateway.toml"
        self.log = folder / "access.log"
        self.workers = workers
        self.process: asyncio.subprocess.Process | None = None

    def write(self, *addresses: str, upstream: str = "", more: str = "") -> None:
        """Write the settings, all at once as an editor does."""
        endpoints = ", ".join(f'{{address = "{each}"}}' for each in addresses)
        text = SETTINGS.format(
            workers=self.workers,
            port=self.port,
            admin=self.admin,
            log=self.log,
            upstream=f"endpoints = [{endpoints}]\n{upstream}",
            more=more,
        )
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.file)

    async def start(self) -> None:
        """Begin, and wait until every worker serves."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadpath", "gateway", "run", "-c", str(self.file),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            while not await self.is_ready():
                assert self.process.returncode is None, await self.words()
                await asyncio.sleep(0.05)

    async def words(self) -> str:
        """Return what it said, after it has ended."""
        assert self.process is not None
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def is_ready(self) -> bool:
        """Return whether it says that it is."""
        try:
            status, _ = await self.ask("GET", "/ready")
        except OSError:
            return False
        return status == 200

    async def ask(self, method: str, path: str, *fields: str) -> tuple[int, Any]:
        """Ask the admin API."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.admin}", "Connection: close"]
        request = "\r\n".join([*lines, *fields, "", ""]).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin)
        writer.write(request)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        writer.close()
        status = int(head.split(b" ")[1])
        return status, json.loads(body) if b"json" in head else body.decode()

    async def status(self) -> Any:
        """Return everything that the admin API tells."""
        return (await self.ask("GET", "/api/gateway"))[1]

    async def until(self, good: Any, *, patience: float = 15.0) -> Any:
        """Wait until the status is as wanted."""
        async with asyncio.timeout(patience):
            while not good(status := await self.status()):  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.05)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def stop(self) -> int:
        """Stop it as a service manager does; returns its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def fleet(
    folder: Path, *addresses: str, workers: int = 2, **given: str
) -> AsyncIterator[Fleet]:
    """Run a gateway until the block ends."""
    made = Fleet(folder, workers)
    made.write(*addresses, **given)
    try:
        await made.start()
        pids = [each["pid"] for each in (await made.status())["workers"]]
        yield made
    finally:
        if made.process is not None:
            code = await made.stop()
            assert made.process.stderr is not None
            made.process.stderr.feed_eof()
    assert code == 0
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Load:
    """Send requests without a pause over connections that stay open, as a good client does.

    A connection that ends between two requests is made anew, and a GET that was not answered is
    sent once more: that is what RFC 9112 section 9.3.1 lets a client do.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.failed: list[str] = []
        self.refused = 0
        self.stopped = False

    async def run(self, *, clients: int = 8) -> None:
        """Send until `stopped`."""
        await asyncio.gather(*(self._one() for _ in range(clients)))

    async def _one(self) -> None:
        reader = writer = None
        while not self.stopped:
            for attempt in (1, 2):
                try:
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    self.refused += 1
                    await asyncio.sleep(0.02)
                    break
                try:
                    writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(2)
                except (OSError, asyncio.IncompleteReadError):
                    writer.close()
                    writer = None
                    if attempt == 2:
                        self.failed.append("not answered")
                    continue
                if not head.startswith(b"HTTP/1.1 200"):
                    self.failed.append(head.decode())
                self.answered += 1
                if b"Connection: close" in head:
                    writer.close()
                    writer = None
                break
            await asyncio.sleep(0.001)
        if writer is not None:
            writer.close()
