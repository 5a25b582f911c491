"""Endpoints that misbehave, and a check that an upstream holds nothing any more."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from loadpath.http import Origin, write_response_head
from loadpath.upstream import Upstream
from tests.faults.http.servers import serving

OK = write_response_head(200, [(b"Content-Length", b"2")]) + b"ok"
BUSY = write_response_head(503, [(b"Content-Length", b"4")]) + b"busy"
HALF = write_response_head(200, [(b"Content-Length", b"9")]) + b"half"
GARBAGE = b"\x16\x03\x01garbage, not HTTP at all\r\n\r\n"


class Endpoint:
    """Answer every request in a way that a test changes while it runs.

    Attributes:
        answer: What is said.
        then: `again`, `close` or `hang`.
        per_byte: Wait between two bytes of it (s), None for all at once.
        asked: Requests so far.
    """

    def __init__(self, answer: bytes = OK, *, then: str = "again") -> None:
        self.answer = answer
        self.then = then
        self.per_byte: float | None = None
        self.asked = 0

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            for byte in self.answer if self.per_byte is not None else b"":
                writer.write(bytes([byte]))
                await asyncio.sleep(self.per_byte or 0)
            if self.per_byte is None:
                writer.write(self.answer)
            await writer.drain()
            if self.then == "hang":
                await reader.read()
                await asyncio.sleep(60)
            if self.then != "again":
                return


@asynccontextmanager
async def served(*endpoints: Endpoint) -> AsyncIterator[list[str]]:
    """Run endpoints, and give their addresses."""
    async with AsyncExitStack() as stack:
        origins = [await stack.enter_async_context(serving(each.script)) for each in endpoints]
        yield [address_of(origin) for origin in origins]


@contextmanager
def refusing() -> Iterator[str]:
    """Give an address where nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def address_of(origin: Origin) -> str:
    """Return an origin as an endpoint."""
    return f"{origin.host}:{origin.port}"


def assert_nothing_held(upstream: Upstream) -> None:
    """Check that no call holds a pick, a permit, a place, or a connection."""
    now, moment = upstream.snapshot(), time.monotonic()
    assert all(each.in_flight == 0 for each in now.endpoints), now.endpoints
    assert all(door.attempts == 0 for door in upstream._doors)
    assert all(
        door.breaker is None or door.breaker.snapshot(moment).permits == 0
        for door in upstream._doors
    )
    assert now.bulkhead is None or (now.bulkhead.running, now.bulkhead.waiting) == (0, 0)
    assert now.pool.waiting == 0
    assert now.pool.connections == now.pool.idle
