"""A server that tells what it was asked, so that clients can be compared by it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from loadpath.http import (
    LAST_CHUNK,
    End,
    Origin,
    RequestHead,
    RequestParser,
    write_chunk,
    write_response_head,
)
from tests.faults.http.servers import serving


class Seen(msgspec.Struct, frozen=True):
    """Hold a request as it arrived."""

    method: str
    path: str
    body: str
    fields: dict[str, str]


async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of a connection with what it was, in the way that its path asks for."""
    parser = RequestParser()
    head: RequestHead | None = None
    body = b""
    while data := await reader.read(2**16):
        parser.receive(data)
        while (event := parser.next_event()) is not None:
            if isinstance(event, RequestHead):
                head, body = event, b""
            elif isinstance(event, End):
                assert head is not None
                writer.write(_answer(head, body))
                await writer.drain()
            else:
                body += event


def _answer(head: RequestHead, body: bytes) -> bytes:
    seen = msgspec.json.encode(
        Seen(
            method=head.method.decode(),
            path=head.path.decode(),
            body=body.decode(),
            fields={name.decode(): value.decode("latin-1") for name, value in head.index.items()},
        )
    )
    way = head.path.partition(b"?")[0]
    if way == b"/none":
        return write_response_head(204, [])
    if way == b"/moved":
        fields = [(b"Location", b"/there"), (b"Content-Length", b"0"), (b"Set-Cookie", b"a=b")]
        return write_response_head(302, fields)
    if way == b"/chunks":
        pieces = b"".join(write_chunk(seen[at : at + 7]) for at in range(0, len(seen), 7))
        return write_response_head(200, [(b"Transfer-Encoding", b"chunked")]) + pieces + LAST_CHUNK
    fields = [(b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"X-Twice", b"2")]
    if way == b"/gzip":
        seen = gzip.compress(seen)
        fields.append((b"Content-Encoding", b"gzip"))
    status = 503 if way == b"/busy" else 200
    written = write_response_head(status, [*fields, (b"Content-Length", b"%d" % len(seen))])
    return written if head.method == b"HEAD" else written + seen


@asynccontextmanager
async def mirroring() -> AsyncIterator[Origin]:
    """Run such a server on a free port of loopback."""
    async with serving(mirror) as origin:
        yield origin
