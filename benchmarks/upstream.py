"""What a request costs the client: httpx over our transport and over its own, and aiohttp.

One nginx, connections that stay open, one request at a time and 32 at once, interleaved rounds in
one process, which is pinned to one core where that can be done. Told is its CPU time. Every client
has its timeouts set and can be cancelled; the transport is the one that speaks TLS, too, the path
measured is plain. The upstream picks among two endpoints (the same nginx under two ports) with
health, outlier ejection, a breaker for each and a retry budget in place; aiohttp asks one address.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from statistics import median
from typing import Any

import aiohttp
import httpx
import httpx2

from benchmarks.result import Result
from loadpath.http import Timeouts
from loadpath.local import nginx
from loadpath.upstream import Httpx2Transport, HttpxTransport, Upstream

ROUNDS = 9
REQUESTS = 640
AT_MOST = 32
KEPT = {"max_connections": 100, "max_keepalive_connections": AT_MOST}
BODY = b'{"id": 42, "name": "a small answer, as services give them", "tags": ["a", "b", "c"]}'

Ask = Callable[[], Awaitable[bytes]]
Client = Callable[[list[str]], AbstractAsyncContextManager[Ask]]


def run() -> list[Result]:
    """Return every figure of the room."""
    return asyncio.run(_figures())


async def _figures() -> list[Result]:
    quoted = BODY.decode().replace('"', '\\"')
    answer = f'default_type application/json; return 200 "{quoted}";'
    locations = f"keepalive_requests 1000000; location / {{ {answer} }}"
    async with AsyncExitStack() as stack:
        urls = [(await stack.enter_async_context(nginx(server=locations))).url for _ in range(2)]
        asks = {name: await stack.enter_async_context(make(urls)) for name, make in CLIENTS.items()}
        stack.enter_context(pinned())
        return [
            result
            for at_once in (1, AT_MOST)
            for result in _compared(await _cost(asks, at_once), at_once)
        ]


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this process on one core, as far as the system lets us."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _cost(asks: dict[str, Ask], at_once: int) -> dict[str, float]:
    """Return the CPU time of one request of each client (us)."""
    spent: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(ROUNDS):
        for name, ask in asks.items():
            spent[name].append(await _one_round(ask, at_once))
    return {name: median(times) for name, times in spent.items()}


async def _one_round(ask: Ask, at_once: int) -> float:
    async def several() -> None:
        for _ in range(REQUESTS // at_once):
            if await ask() != BODY:
                raise RuntimeError("another body came")

    start = time.process_time()
    await asyncio.gather(*(several() for _ in range(at_once)))
    return (time.process_time() - start) / REQUESTS * 1e6


def _compared(cost: dict[str, float], at_once: int) -> list[Result]:
    goals = [
        ("httpx over HttpxTransport", "httpx", 4.0 if at_once == 1 else 10.0),
        ("httpx over an upstream", "httpx", 3.0 if at_once == 1 else 7.0),
        ("httpx2 over Httpx2Transport", "httpx2", 2.0),
        ("upstream.request", "aiohttp", 1.0),
    ]
    return [
        Result(
            name=f"{name}, {at_once} at once",
            ours=cost[name],
            unit="us client CPU",
            better="lower",
            goal=goal,
            peer_name=peer,
            peer=cost[peer],
        )
        for name, peer, goal in goals
    ]


@asynccontextmanager
async def getting(module: Any, url: str, **given: Any) -> AsyncIterator[Ask]:
    """Ask with a client of httpx or httpx2."""
    async with module.AsyncClient(base_url=url, timeout=60.0, **given) as client:

        async def ask() -> bytes:
            content: bytes = (await client.get("/")).content
            return content

        yield ask


def own_httpx(urls: list[str]) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx, which would keep 20 connections and make the other 12 again and again."""
    return getting(httpx, urls[0], limits=httpx.Limits(**KEPT))


def our_httpx(urls: list[str]) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx over our transport."""
    return getting(httpx, urls[0], transport=HttpxTransport())


@asynccontextmanager
async def balanced_httpx(urls: list[str]) -> AsyncIterator[Ask]:
    """Ask with httpx over an upstream."""
    async with (
        Upstream("orders", addresses(urls)) as upstream,
        getting(httpx, "http://orders", transport=HttpxTransport(upstream)) as ask,
    ):
        yield ask


def own_httpx2(urls: list[str]) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx2, which keeps as many as httpx."""
    return getting(httpx2, urls[0], limits=httpx2.Limits(**KEPT))


def our_httpx2(urls: list[str]) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx2 over our transport."""
    return getting(httpx2, urls[0], transport=Httpx2Transport())


@asynccontextmanager
async def plain_upstream(urls: list[str]) -> AsyncIterator[Ask]:
    """Ask an upstream itself."""
    timeouts = Timeouts(read=60.0)
    fields = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "benchmark"}
    async with Upstream("orders", addresses(urls)) as upstream:

        async def ask() -> bytes:
            return (await upstream.request("GET", "/", fields=fields, timeouts=timeouts)).body

        yield ask


@asynccontextmanager
async def own_aiohttp(urls: list[str]) -> AsyncIterator[Ask]:
    """Ask with aiohttp."""
    timeout = aiohttp.ClientTimeout(total=60.0)
    async with aiohttp.ClientSession(urls[0], timeout=timeout) as session:

        async def ask() -> bytes:
            async with session.get("/") as response:
                return await response.read()

        yield ask


def addresses(urls: list[str]) -> list[str]:
    """Return addresses as endpoints."""
    return [url.removeprefix("http://").rstrip("/") for url in urls]


CLIENTS: dict[str, Client] = {
    "httpx": own_httpx,
    "httpx over HttpxTransport": our_httpx,
    "httpx over an upstream": balanced_httpx,
    "httpx2": own_httpx2,
    "httpx2 over Httpx2Transport": our_httpx2,
    "upstream.request": plain_upstream,
    "aiohttp": own_aiohttp,
}
