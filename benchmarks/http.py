"""Heads per microsecond, and what one request costs a client.

Heads are parsed beside h11, which is Python as ours is and checks as much, and beside httptools,
which runs in C: there the goal is to stay within a factor. Requests go to an nginx over connections
that stay open, one at a time and 32 at once, beside httpx and aiohttp as their good user would set
them up: one client for all, a limit that lets all go at once, the body read. Told is the CPU time
of the client's process.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any

import aiohttp
import h11
import httptools
import httpx

from benchmarks.result import Result
from loadpath.http import (
    ConnectionPool,
    End,
    Origin,
    Request,
    RequestParser,
    ResponseParser,
    Timeouts,
)
from loadpath.local import nginx

ROUNDS = 7
HEADS = 2_000
REQUESTS = 960
BODY = b'{"id": 42, "name": "a small answer, as services give them", "tags": ["a", "b", "c"]}'

REQUEST = (
    b"GET /api/orders/42?full=1 HTTP/1.1\r\nHost: orders.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\r\nAccept: application/json\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
    b"Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%b"
    % (len(BODY), BODY)
)

Work = Callable[[], None]
Ask = Callable[[], Awaitable[bytes]]


def run() -> list[Result]:
    """Return every figure of the room."""
    return [*_heads(), *asyncio.run(_clients())]


def _heads() -> list[Result]:
    requests = _microseconds(ours_requests, h11_requests, httptools_requests)
    responses = _microseconds(ours_responses, h11_responses, httptools_responses)
    goals = (("h11", 4.0), ("httptools", 0.2))
    return [
        _result(f"parse a {name}", "us CPU", ours, theirs, peer=peer, goal=goal)
        for name, (ours, *peers) in (("request", requests), ("response", responses))
        for theirs, (peer, goal) in zip(peers, goals, strict=True)
    ]


def _microseconds(*prepared: Callable[[], Work]) -> list[float]:
    """Return the CPU time of one head of each work; getting ready is not counted."""
    spent: list[list[float]] = [[] for _ in prepared]
    for _ in range(ROUNDS):
        for prepare, times in zip(prepared, spent, strict=True):
            work = prepare()
            start = time.process_time()
            work()
            times.append((time.process_time() - start) / HEADS * 1e6)
    return [median(times) for times in spent]


def ours_requests() -> Work:
    """Parse requests that come one after the other."""
    parser = RequestParser()

    def work() -> None:
        for _ in range(HEADS):
            parser.receive(REQUEST)
            while type(parser.next_event()) is not End:
                pass

    return work


def h11_requests() -> Work:
    """Parse the same requests; h11 wants each answered, so each has a connection of its own."""
    return _h11_work([h11.Connection(h11.SERVER) for _ in range(HEADS)], REQUEST)


def _h11_work(connections: list[Any], came: bytes) -> Work:
    def work() -> None:
        for connection in connections:
            connection.receive_data(came)
            while type(connection.next_event()) is not h11.EndOfMessage:
                pass

    return work


class _Fields:
    """Collect what httptools tells: what our head holds."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.target = b""
        self.body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self.fields.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self.body.append(body)


def httptools_requests() -> Work:
    """Parse the same requests with one parser."""
    told = _Fields()
    parser = httptools.HttpRequestParser(told)

    def work() -> None:
        for _ in range(HEADS):
            told.fields = []
            parser.feed_data(REQUEST)
            parser.get_method()
            parser.should_keep_alive()

    return work


def ours_responses() -> Work:
    """Parse responses that come one after the other."""
    parser = ResponseParser()

    def work() -> None:
        for _ in range(HEADS):
            parser.expect(b"GET")
            parser.receive(RESPONSE)
            while type(parser.next_event()) is not End:
                pass

    return work


def h11_responses() -> Work:
    """Parse the same responses; the request that each answers is sent before the clock counts."""
    request = h11.Request(method="GET", target="/", headers=[("Host", "a")])
    connections = [h11.Connection(h11.CLIENT) for _ in range(HEADS)]
    for connection in connections:
        connection.send(request)
        connection.send(h11.EndOfMessage())
    return _h11_work(connections, RESPONSE)


def httptools_responses() -> Work:
    """Parse the same responses with one parser."""
    told = _Fields()
    parser = httptools.HttpResponseParser(told)

    def work() -> None:
        for _ in range(HEADS):
            told.fields = []
            parser.feed_data(RESPONSE)
            parser.get_status_code()
            parser.should_keep_alive()

    return work


async def _clients() -> list[Result]:
    quoted = BODY.decode().replace('"', '\\"')
    answer = f'default_type application/json; return 200 "{quoted}";'
    locations = f"keepalive_requests 1000000; location / {{ {answer} }}"
    async with nginx(server=locations) as server, AsyncExitStack() as stack:
        asks = [
            await stack.enter_async_context(make(server.url))
            for make in (pooled, httpx_client, aiohttp_client)
        ]
        return [
            result
            for at_once, goals in ((1, (4.0, 1.5)), (32, (10.0, 1.5)))
            for result in await _cost(asks, at_once, goals)
        ]


async def _cost(asks: list[Ask], at_once: int, goals: tuple[float, float]) -> list[Result]:
    spent: list[list[float]] = [[] for _ in asks]
    for _ in range(ROUNDS):
        for ask, times in zip(asks, spent, strict=True):
            times.append(await _one_round(ask, at_once))
    ours, *peers = (median(times) for times in spent)
    name = f"one request of {at_once} at once"
    return [
        _result(name, "us client CPU", ours, theirs, peer=peer, goal=goal)
        for theirs, peer, goal in zip(peers, ("httpx", "aiohttp"), goals, strict=True)
    ]


async def _one_round(ask: Ask, at_once: int) -> float:
    async def several() -> None:
        for _ in range(REQUESTS // at_once):
            if await ask() != BODY:
                raise RuntimeError("another body came")

    start = time.process_time()
    await asyncio.gather(*(several() for _ in range(at_once)))
    return (time.process_time() - start) / REQUESTS * 1e6


@asynccontextmanager
async def pooled(url: str) -> AsyncIterator[Ask]:
    """Ask with ours; every timeout is set."""
    origin = Origin.parse(url)
    request = Request(
        b"GET",
        b"/",
        [
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"gzip, deflate"),
            (b"User-Agent", b"loadpath-benchmark"),
        ],
    )
    async with ConnectionPool(timeouts=Timeouts(total=60.0)) as pool:

        async def ask() -> bytes:
            response = await pool.request(origin, request)
            return await response.read()

        yield ask


@asynccontextmanager
async def httpx_client(url: str) -> AsyncIterator[Ask]:
    """Ask with httpx."""
    async with httpx.AsyncClient(base_url=url, timeout=60.0) as client:

        async def ask() -> bytes:
            return (await client.get("/")).content

        yield ask


@asynccontextmanager
async def aiohttp_client(url: str) -> AsyncIterator[Ask]:
    """Ask with aiohttp."""
    timeout = aiohttp.ClientTimeout(total=60.0)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:

        async def ask() -> bytes:
            async with session.get("/") as response:
                return await response.read()

        yield ask


def _result(name: str, unit: str, ours: float, theirs: float, *, peer: str, goal: float) -> Result:
    return Result(
        name=name, ours=ours, unit=unit, better="lower", goal=goal, peer_name=peer, peer=theirs
    )
