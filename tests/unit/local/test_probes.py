"""Probes ask once and take no for an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadpath.local import http_ready, tcp_ready
from loadpath.local.ports import LOOPBACK, free_ports
from loadpath.local.probes import until


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[int]:
    """Run something that answers every request with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(reply)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, LOOPBACK, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"nonsense", False),
        (b"x" * 100_000, False),
        (b"", False),
    ],
)
async def test_http_is_ready_when_it_answers_200(reply: bytes, *, ready: bool) -> None:
    """Any other answer, or none, is not ready."""
    async with answering(reply) as port:
        assert await http_ready(f"http://127.0.0.1:{port}/health")() is ready


async def test_nobody_there_is_not_ready() -> None:
    """A refused connection is an answer, not an error."""
    (port,) = free_ports(1)
    assert not await tcp_ready(LOOPBACK, port)()
    assert not await http_ready(f"http://127.0.0.1:{port}")()


async def test_tcp_is_ready_when_somebody_accepts() -> None:
    """Accepting a connection is enough."""
    async with answering(b"") as port:
        assert await tcp_ready(LOOPBACK, port)()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:80", "http://"])
def test_other_addresses_are_refused(url: str) -> None:
    """The probe speaks plain HTTP only and says so."""
    with pytest.raises(ValueError, match="must look like http"):
        http_ready(url)


async def test_until_asks_again() -> None:
    """It returns with the first yes."""
    answers = iter([False, False, True])

    async def probe() -> bool:
        return next(answers)

    await until(probe)
    assert list(answers) == []
