"""The clients that are compared, each as its good user would set it up.

Every one has its timeouts set, can be cancelled, and keeps as many connections as it uses at once.
The upstream picks among two endpoints (the same nginx under two ports) with health, outlier
ejection, a breaker for each and a retry budget in place; the others ask one address.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import httpx2

from loadpath.http import ConnectionPool, Timeouts
from loadpath.upstream import Httpx2Transport, HttpxTransport, Upstream

AT_MOST = 32
KEPT: dict[str, Any] = {
    "max_connections": 100,
    "max_keepalive_connections": AT_MOST,
    "keepalive_expiry": 60.0,
}
BODY = b'{"id": 42, "name": "a small answer, as services give them", "tags": ["a", "b", "c"]}'
FIELDS = [
    (b"Server", b"nginx"),
    (b"Date", b"Wed, 25 Nov 2026 12:00:00 GMT"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"%d" % len(BODY)),
    (b"Connection", b"keep-alive"),
]

Ask = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the servers are.

    Attributes:
        plain: Addresses of two over plain TCP.
        secure: Address of one of them over TLS.
        trust: Settings that trust it.
    """

    plain: list[str]
    secure: str
    trust: ssl.SSLContext


Client = Callable[[Served], AbstractAsyncContextManager[Ask]]


@asynccontextmanager
async def getting(module: Any, url: str, **given: Any) -> AsyncIterator[Ask]:
    """Ask with a client of httpx or httpx2."""
    async with module.AsyncClient(base_url=url, timeout=60.0, **given) as client:

        async def ask() -> bytes:
            content: bytes = (await client.get("/")).content
            return content

        yield ask


def own_httpx(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx, which would keep 20 connections and make the other 12 again and again."""
    return getting(httpx, served.plain[0], limits=httpx.Limits(**KEPT))


def our_httpx(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx over our transport."""
    return getting(httpx, served.plain[0], transport=HttpxTransport())


@asynccontextmanager
async def balanced_httpx(served: Served) -> AsyncIterator[Ask]:
    """Ask with httpx over an upstream."""
    async with (
        Upstream("orders", addresses(served.plain)) as upstream,
        getting(httpx, "http://orders", transport=HttpxTransport(upstream)) as ask,
    ):
        yield ask


def own_httpx_over_tls(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx over TLS."""
    return getting(httpx, served.secure, verify=served.trust, limits=httpx.Limits(**KEPT))


@asynccontextmanager
async def our_httpx_over_tls(served: Served) -> AsyncIterator[Ask]:
    """Ask with httpx over our transport and the same settings of TLS."""
    async with (
        ConnectionPool(tls=served.trust) as pool,
        getting(httpx, served.secure, transport=HttpxTransport(pool=pool)) as ask,
    ):
        yield ask


class NoTransport(httpx.AsyncBaseTransport):
    """Answer at once: what is left is what httpx itself costs, whatever carries its requests."""

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        """Return the answer."""
        told = {"http_version": b"HTTP/1.1", "reason_phrase": b"OK"}
        return httpx.Response(200, headers=FIELDS, stream=httpx.ByteStream(BODY), extensions=told)


def bare_httpx(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx, and send nothing."""
    return getting(httpx, served.plain[0], transport=NoTransport())


def own_httpx2(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx2, which keeps as many as httpx."""
    return getting(httpx2, served.plain[0], limits=httpx2.Limits(**KEPT))


def our_httpx2(served: Served) -> AbstractAsyncContextManager[Ask]:
    """Ask with httpx2 over our transport."""
    return getting(httpx2, served.plain[0], transport=Httpx2Transport())


@asynccontextmanager
async def plain_upstream(served: Served) -> AsyncIterator[Ask]:
    """Ask an upstream itself."""
    timeouts = Timeouts(read=60.0)
    fields = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "benchmark"}
    async with Upstream("orders", addresses(served.plain)) as upstream:

        async def ask() -> bytes:
            return (await upstream.request("GET", "/", fields=fields, timeouts=timeouts)).body

        yield ask


@asynccontextmanager
async def own_aiohttp(served: Served) -> AsyncIterator[Ask]:
    """Ask with aiohttp."""
    timeout = aiohttp.ClientTimeout(total=60.0)
    async with aiohttp.ClientSession(served.plain[0], timeout=timeout) as session:

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
    "httpx without a transport": bare_httpx,
    "httpx, TLS": own_httpx_over_tls,
    "httpx over HttpxTransport, TLS": our_httpx_over_tls,
    "httpx2": own_httpx2,
    "httpx2 over Httpx2Transport": our_httpx2,
    "upstream.request": plain_upstream,
    "aiohttp": own_aiohttp,
}
