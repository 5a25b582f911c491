"""Keep so many requests under way over connections that stay open: as little client as can be.

It counts bytes: the first answer of a size tells how long the following ones are, and a body is
compared once. Whatever else comes ends the round.
"""

import asyncio
import re
from typing import cast

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")


class _Asker(asyncio.Protocol):
    """Send one request after the other over one connection."""

    def __init__(self, round_: "_Round") -> None:
        self._round = round_
        self._held = b""
        self._missing = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        """Send the next request, unless all were sent."""
        if self._round.left > 0 and self.transport is not None:
            self._round.left -= 1
            self.transport.write(self._round.request)
        elif self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Count what came."""
        if self._missing:
            self._count(len(data))
            return
        self._held += data
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = self._held[: end + 2], len(self._held) - end - 4
        self._held = b""
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200 "):
            self._round.fail(f"another answer came: {head!r}")
            return
        self._missing = int(length[1])
        self._count(rest)

    def _count(self, size: int) -> None:
        self._missing -= size
        if self._missing < 0:
            self._round.fail("more came than was asked for")
        elif self._missing == 0:
            self._round.answered()
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._round.left > 0:
            self._round.fail(f"a connection ended: {exc}")


class _Round:
    """Hold what askers share."""

    def __init__(self, request: bytes, requests: int) -> None:
        self.request = request
        self.left = requests
        self._open = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self) -> None:
        """Count an answer."""
        self._open -= 1
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, why: str) -> None:
        """End the round."""
        self.left = 0
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))


async def send(port: int, path: str, *, requests: int, at_once: int) -> None:
    """Send requests, so many at once, and return when all are answered.

    Raises:
        RuntimeError: An answer was not what was asked for.
    """
    request = (
        f"GET {path} HTTP/1.1\r\nHost: bench.example.com\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"
    ).encode()
    round_ = _Round(request, requests)
    loop = asyncio.get_running_loop()
    for _ in range(at_once):
        await loop.create_connection(lambda: _Asker(round_), "127.0.0.1", port)
    await round_.done
