"""Ask a server whether it serves: HTTP, TCP, Redis, PostgreSQL; a connection of its own each time.

Never over the pool that traffic uses: a full pool is no dead server, and a broken connection in it
no living one. Whoever asks sets the time limit (`ActiveChecker`).
"""

import asyncio
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ssl import SSLContext
from typing import Protocol

from loadpath.balance.answers import (
    Head,
    ProbeFailedError,
    chunk_size,
    http_head,
    postgres_refusal,
    postgres_startup,
    printable,
    redis_command,
    redis_says,
)
from loadpath.balance.endpoint import Endpoint

LARGEST_HEAD = 16_384
LARGEST_BODY = 65_536
LARGEST_ERROR = 30_000
INTERIM_ANSWERS = 5
SWITCHING_PROTOCOLS = 101
FINAL = 200

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Probe(Protocol):
    """Check one endpoint."""

    async def check(self, endpoint: Endpoint) -> None:
        """Return when the endpoint serves.

        Raises:
            Exception: It does not; the message becomes the reason.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """Ask `GET path` over HTTP/1.1.

    Attributes:
        path: What is asked for, with its query.
        statuses: Statuses that are healthy, as a range or a set.
        contains: Bytes that the first 64 KiB of the body must contain; None for any body.
        host: Name in the Host field; None for the endpoint's address.
        tls: Context of an HTTPS endpoint; None for plain HTTP.
        server_name: Name that its certificate must have; None for the endpoint's host.
    """

    path: str = "/health"
    statuses: Container[int] = range(200, 300)
    contains: bytes | None = None
    host: str | None = None
    tls: SSLContext | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or not _is_word(self.path):
            raise ValueError(f"path must begin with / and have no spaces, not {self.path!r}")
        if self.host is not None and not _is_word(self.host):
            raise ValueError(f"host must be a name without spaces, not {self.host!r}")
        if self.server_name is not None and self.tls is None:
            raise ValueError("server_name is checked over TLS only: give a tls context")

    async def check(self, endpoint: Endpoint) -> None:
        """Return when the status, and the body if asked for, are as expected."""
        name = (self.server_name or endpoint.host) if self.tls else None
        async with _connection(endpoint, tls=self.tls, server_name=name) as (reader, writer):
            writer.write(self._request(endpoint))
            head = await _final_head(reader)
            if head.status not in self.statuses:
                raise ProbeFailedError(f"answered HTTP status {head.status}")
            if self.contains is not None and self.contains not in await _body(reader, head):
                raise ProbeFailedError(f"answered without {printable(self.contains)} in its body")

    def _request(self, endpoint: Endpoint) -> bytes:
        host = self.host or endpoint.address
        lines = (
            f"GET {self.path} HTTP/1.1",
            f"Host: {host}",
            "User-Agent: loadpath-health",
            "Accept: */*",
            "Connection: close",
        )
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Connect, no more: somebody listens there."""

    async def check(self, endpoint: Endpoint) -> None:
        """Return when the connection is accepted."""
        async with _connection(endpoint):
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisProbe:
    """Ask Redis or Valkey `PING`, after `AUTH` when there is a password.

    Attributes:
        password: Password; None for none.
        user: User of that password; None for the default one.
    """

    password: str | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        if self.user is not None and self.password is None:
            raise ValueError("user needs a password: give both, or neither")

    async def check(self, endpoint: Endpoint) -> None:
        """Return when it answers PONG: it is loaded and lets us in."""
        async with _connection(endpoint) as (reader, writer):
            if self.password is not None:
                words = [word for word in (self.user, self.password) if word is not None]
                writer.write(redis_command("AUTH", *words))
                redis_says(await reader.readline(), b"OK")
            writer.write(redis_command("PING"))
            redis_says(await reader.readline(), b"PONG")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresProbe:
    """Begin a connection to PostgreSQL, as pg_isready does; no password is needed.

    Attributes:
        user: User that the server is told.
        database: Database that the server is told.
    """

    user: str = "postgres"
    database: str = "postgres"

    def __post_init__(self) -> None:
        if not self.user or not self.database or "\0" in self.user + self.database:
            raise ValueError(f"user and database must be names: {self}")

    async def check(self, endpoint: Endpoint) -> None:
        """Return when it asks for authentication or refuses for a reason other than starting."""
        async with _connection(endpoint) as (reader, writer):
            writer.write(postgres_startup(self.user, self.database))
            kind, length = await reader.readexactly(1), await reader.readexactly(4)
            size = int.from_bytes(length, "big") - 4
            if kind not in (b"R", b"E") or not 0 <= size <= LARGEST_ERROR:
                raise ProbeFailedError(f"does not speak PostgreSQL: {printable(kind + length)}")
            if kind == b"E":
                postgres_refusal(await reader.readexactly(size))


@asynccontextmanager
async def _connection(
    endpoint: Endpoint, *, tls: SSLContext | None = None, server_name: str | None = None
) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, limit=LARGEST_HEAD, ssl=tls, server_hostname=server_name
    )
    try:
        yield reader, writer
    except asyncio.IncompleteReadError as error:
        raise ProbeFailedError(f"closed the connection after {len(error.partial)} bytes") from None
    except (asyncio.LimitOverrunError, ValueError) as error:
        raise ProbeFailedError(f"sent too long a line: {error}") from None
    finally:
        writer.transport.abort()  # nothing to wait for: what a server sends now is not read


async def _final_head(reader: asyncio.StreamReader) -> Head:
    for _ in range(INTERIM_ANSWERS):
        head = http_head(await reader.readuntil(b"\r\n\r\n"))
        if head.status >= FINAL or head.status == SWITCHING_PROTOCOLS:
            return head
    raise ProbeFailedError(f"sent {INTERIM_ANSWERS} interim answers and no final one")


async def _body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """Return the body, its first 64 KiB when it is longer."""
    if head.chunked:
        return await _chunks(reader)
    length = head.length
    if length is not None:
        return await reader.readexactly(min(length, LARGEST_BODY))
    body = b""
    while len(body) < LARGEST_BODY and (part := await reader.read(LARGEST_BODY - len(body))):
        body += part
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < LARGEST_BODY:
        size = chunk_size(await reader.readuntil(b"\r\n"))
        if not size:
            break
        body += await reader.readexactly(min(size, LARGEST_BODY - len(body)))
        if len(body) < LARGEST_BODY and await reader.readexactly(2) != b"\r\n":
            raise ProbeFailedError("sent a chunk longer than it said")
    return body


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
