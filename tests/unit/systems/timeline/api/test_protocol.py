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
    assert (problem["status"], problem["field"]) == (431, "X")


async def test_a_slow_head_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing, or half a head, or half of a second one, is let go."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT", 0.1)
    loop = asyncio.get_running_loop()
    for pieces in ([], [HEALTH[:9]], [HEALTH, HEALTH[:9]]):
        began = loop.time()
        await exchange(port, *pieces)
        assert loop.time() - began < 0.9


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def problem_in(answered: bytes) -> dict[str, object]:
    """Return the problem document of the last answer."""
    problem: dict[str, object] = json.loads(answered.rpartition(b"\r\n\r\n")[2])
    return problem


@pytest.mark.parametrize(
    "framing",
    [b"0\r\n" + b"x: y\r\n" * 4_000, b"0\r\nx: " + b"y" * 20_000, b"5;" + b"x" * 20_000],
    ids=["trailers", "a trailer", "an extension"],
)
async def test_framing_without_end_is_refused(port: int, framing: bytes) -> None:
    """What is neither head nor data is bounded too, and kept nowhere."""
    pieces = [framing[at : at + 5_000] for at in range(0, len(framing), 5_000)]
    answered = await exchange(port, CHUNKED, *pieces)
    assert answered.startswith(b"HTTP/1.1 413")
    assert problem_in(answered)["field"] == "body"


async def test_trailers_are_not_headers(port: int) -> None:
    """Short ones are allowed and mean nothing."""
    answered = await exchange(port, CHUNKED, b"0\r\nx: y\r\n\r\n", HEALTH)
    assert answered.count(b"HTTP/1.1 200") == 2


async def test_what_follows_is_refused_after_the_answer(port: int) -> None:
    """A request that was read gets its own answer first, whatever comes behind it."""
    answered = await exchange(port, POST + b"Content-Length: 2\r\n\r\n{}\0garbage")
    assert answered.startswith(b"HTTP/1.1 200")
    assert problem_in(answered)["status"] == 400
    answered = await exchange(port, HEALTH * 3 + b"\0garbage")
    assert answered.count(b"HTTP/1.1 200") == 3
    assert problem_in(answered)["status"] == 400


async def test_a_broken_body_is_refused_once(port: int) -> None:
    """The request that it belongs to gets the refusal, those before it their answers."""
    answered = await exchange(port, HEALTH * 2 + CHUNKED + b"nonsense\r\n")
    assert answered.count(b"HTTP/1.1 200") == 2
    assert answered.count(b"HTTP/1.1 ") == 3
    assert problem_in(answered)["field"] == "body"


async def test_a_refusal_reaches_a_client_that_goes_on_sending(port: int) -> None:
    """A megabyte in one header is 431 and names it, not a reset connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /?limit=5 HTTP/1.1\r\nHost: a\r\nIdempotency-Key: ")
    for _ in range(16):
        writer.write(b"k" * 65_536)
        await writer.drain()
    answered = await reader.read()
    assert answered.startswith(b"HTTP/1.1 431")
    assert problem_in(answered)["field"] == "Idempotency-Key"
    writer.close()


async def test_a_control_character_is_refused_by_name(port: int) -> None:
    """The parser refuses it before the application could name it."""
    answered = await exchange(port, b"GET /?limit=\x01 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert problem_in(answered)["field"] == "limit"
    answered = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\x00\r\n\r\n")
    assert problem_in(answered)["field"] == "X-Key"


async def test_an_upgrade_with_a_body_is_refused(port: int) -> None:
    """Its body would be taken for the next request."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    answered = await exchange(
        port, POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(HEALTH), HEALTH
    )
    assert answered.count(b"HTTP/1.1 4") == 1
    assert b"HTTP/1.1 200" not in answered
    assert problem_in(answered)["field"] == "Upgrade"
    answered = await exchange(port, HEALTH[:-2] + upgrade + b"\r\n", HEALTH)
    assert answered.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answered


async def test_a_target_that_is_no_path_is_refused(port: int) -> None:
    """This server is no proxy."""
    answered = await exchange(port, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (problem_in(answered)["status"], problem_in(answered)["field"]) == (400, "path")


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    """Send requests until the connection breaks."""
    while True:
        writer.write(HEALTH * 1_000)
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_a_client_that_does_not_read_is_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers that nobody takes are not kept for ever, and that is no failure of ours."""
    monkeypatch.setattr(protocol, "WRITE_TIMEOUT", 0.1)
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    with pytest.raises(ConnectionError):
        await send_for_ever(writer)
    await asyncio.sleep(0.05)
    assert "Exception" not in caplog.text


async def test_connections_beyond_the_open_files_are_refused(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record and the log keep theirs."""
    monkeypatch.setattr(protocol, "OTHER_FILES", 1 << 62)
    answered = await exchange(port, HEALTH)
    assert answered.startswith(b"HTTP/1.1 503")
    assert problem_in(answered)["type"] == "urn:problem-type:loadpath:not-tried"
