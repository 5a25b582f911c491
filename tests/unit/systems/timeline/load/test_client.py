"""Behaviour of the generator's HTTP client, against real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.systems.timeline.load.client import AnswerLostError, Client, NotSentError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(handle: Handler) -> AsyncIterator[str]:
    """Serve connections until the block ends; give the address."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(closing, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def head(reader: asyncio.StreamReader) -> str:
    """Read the head of one request."""
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def answering(answers: list[bytes], connections: list[int]) -> Handler:
    """Answer every request of every connection, and count the connections."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while True:
            await head(reader)
            connections[-1] += 1
            for part in answers:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)

    return handle


async def test_requests_share_a_kept_connection() -> None:
    """One after the other need one connection."""
    connections: list[int] = []
    answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"]
    async with served(answering(answer, connections)) as url, Client(url) as client:
        for _ in range(5):
            assert await client.get("/x") == (200, b"ok")
    assert connections == [5]


async def test_connections_are_bounded_and_waited_for() -> None:
    """A hundred requests at once go over two connections, and all are answered."""
    connections: list[int] = []
    answer = [b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
    async with served(answering(answer, connections)) as url, Client(url, connections=2) as client:
        answers = await asyncio.gather(*(client.post("/x", b"{}") for _ in range(100)))
    assert set(answers) == {(201, b"ok")}
    assert len(connections) == 2
    assert sum(connections) == 100


async def test_a_post_carries_its_headers_and_its_body() -> None:
    """What was given arrives, with the length that frames it."""
    got: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await head(reader))
        got.append((await reader.readexactly(7)).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with served(handle) as url, Client(url) as client:
        await client.post("/posts", b'{"a":1}', headers=b"Idempotency-Key: k\r\n")
    assert got[0].startswith("POST /posts HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Idempotency-Key: k\r\n" in got[0]
    assert "Content-Length: 7\r\n" in got[0]
    assert got[1] == '{"a":1}'


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    """`Connection: close` is heeded, and the next request gets a new one."""
    answer = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"]
    connections: list[int] = []
    async with served(answering(answer, connections)) as url, Client(url) as client:
        await client.get("/")
        await client.get("/")
    assert connections == [1, 1]


async def test_nobody_there_means_nothing_was_sent() -> None:
    """The caller may try again without a doubt."""
    async with served(answering([], [])) as url:
        pass
    async with Client(url) as client:
        with pytest.raises(NotSentError) as caught:
            await client.get("/")
    assert isinstance(caught.value, RejectedError)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
async def test_an_answer_that_never_comes_whole_leaves_a_doubt(said: bytes) -> None:
    """It was sent: it may have happened."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(said)

    async with served(handle) as url, Client(url) as client:
        with pytest.raises(AnswerLostError) as caught:
            await client.get("/")
    assert isinstance(caught.value, InDoubtError)


async def test_nonsense_is_no_answer() -> None:
    """Something else that listens there is not mistaken for the system."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"220 mail.example ESMTP\r\n")
        await asyncio.sleep(1)

    async with served(handle) as url, Client(url) as client:
        with pytest.raises(AnswerLostError, match="not an HTTP answer"):
            await client.get("/")


async def test_a_cancelled_request_takes_its_connection_with_it() -> None:
    """Its late answer never meets another request."""
    first = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await head(reader)
            if "/slow" in asked:
                first.set()
                await asyncio.sleep(0.05)
            body = b"slow" if "/slow" in asked else b"fast"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)

    async with served(handle) as url, Client(url, connections=1) as client:
        slow = asyncio.create_task(client.get("/slow"))
        await first.wait()
        slow.cancel()
        await asyncio.wait([slow])
        assert (await client.get("/fast")).body == b"fast"


async def test_running_out_of_patience_tells_whether_it_was_sent() -> None:
    """Waiting for an answer leaves a doubt; waiting for a connection does not."""

    async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(5)

    async with served(handle) as url, Client(url, connections=1) as client:
        first = asyncio.create_task(client.get("/", patience=0.2))
        await asyncio.sleep(0)
        with pytest.raises(NotSentError, match="no answer within"):
            await client.get("/", patience=0.05)
        with pytest.raises(AnswerLostError, match="no answer within"):
            await first


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:8000", "http://", "ftp://x"])
def test_another_kind_of_address_is_refused(url: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(ValueError, match="must look like http://"):
        Client(url)


def test_no_connections_are_refused() -> None:
    """A client that can never send is a mistake."""
    with pytest.raises(ValueError, match="connections"):
        Client("http://127.0.0.1", connections=0)
