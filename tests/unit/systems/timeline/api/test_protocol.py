"""Heads of requests are bounded in size and time, one by one."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from loadpath.systems.timeline.api import protocol
from loadpath.systems.timeline.api.process import ApiServer, server_config
from loadpath.systems.timeline.api.protocol import MAX_HEAD
from loadpath.systems.timeline.api.web import Answer, send_answer

HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
    """Take the body and answer."""
    while (await receive()).get("more_body"):
        pass
    await send_answer(Answer(b"{}"), send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve in this process."""
    config = server_config(answer)
    config.host, config.port = "127.0.0.1", 0
    server: uvicorn.Server = ApiServer(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.001)
    number: int = server.servers[0].sockets[0].getsockname()[1]
    yield number
    server.should_exit = True
    await serving


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send pieces one by one, return everything until the server closes or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    answered = b""
    try:
        async with asyncio.timeout(1.0):
            while part := await reader.read(65_536):
                answered += part
    except (TimeoutError, ConnectionResetError):
        pass
    writer.close()
    return answered


async def test_a_head_in_pieces_is_a_head(port: int) -> None:
    """However slowly a request comes, within the time, it is answered."""
    answered = await exchange(port, HEALTH[:5], HEALTH[5:20], HEALTH[20:])
    assert answered.startswith(b"HTTP/1.1 200")


async def test_many_requests_in_one_piece_are_not_one_large_head(port: int) -> None:
    """Pipelined requests may together be larger than a head, also when the last is cut."""
    many = HEALTH * (2 * MAX_HEAD // len(HEALTH))
    answered = await exchange(port, many + HEALTH[:10], HEALTH[10:])
    assert answered.count(b"HTTP/1.1 200") == 2 * MAX_HEAD // len(HEALTH) + 1


async def test_a_large_body_is_not_a_large_head(port: int) -> None:
    """A body beyond the head's bound, with the next request behind it, is fine."""
    body = b"x" * (2 * MAX_HEAD)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    answered = await exchange(port, post + body + HEALTH[:7], HEALTH[7:])
    assert answered.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("size", [1_000, 4_000, 60_000])
async def test_a_head_without_end_is_refused(port: int, size: int) -> None:
    """A head that goes on and on is 431, in small pieces and in large ones."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    pieces = [b"a" * size] * (MAX_HEAD // size + 1)
    answered = await exchange(port, start, *pieces)
    assert answered.startswith(b"HTTP/1.1 431")
    problem = json.loads(answered.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["field"]) == (431, "headers")


async def test_a_slow_head_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing, or half a head, or half of a second one, is let go."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT", 0.1)
    loop = asyncio.get_running_loop()
    for pieces in ([], [HEALTH[:9]], [HEALTH, HEALTH[:9]]):
        began = loop.time()
        await exchange(port, *pieces)
        assert loop.time() - began < 0.9
