"""Serve files: whole or in part, only where the client has not got them already.

What follows the prefix of the route's match is looked up in the folder; a route that matches an
exact path or a pattern looks up all of it. Files are read in threads, piece by piece.
"""

import asyncio
import mimetypes
from pathlib import Path
from typing import BinaryIO

from loadpath.gateway.exchange import AnswerHead, Exchange, Field, Reply
from loadpath.gateway.filters.compression import wanted
from loadpath.gateway.filters.conditions import (
    RangeNotSatisfiableError,
    http_date,
    outcome,
    wanted_range,
)
from loadpath.gateway.filters.files import FolderError, Found, find, segments_of
from loadpath.gateway.passing.problems import problem
from loadpath.gateway.settings.routes import Match, Static

PIECE = 65_536
"""Bytes that are read, and perhaps compressed, at once: less than a millisecond on the loop."""

_ENDINGS = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
_TYPES = mimetypes.MimeTypes()  # the fixed table, whatever the machine has in /etc
_NEWER_TYPES = {
    ".avif": "image/avif",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_UTF8 = ("text/", "application/json", "application/manifest+json", "image/svg+xml")


class StaticHandler:
    """Answer with the files of a folder.

    Args:
        match: Of the route.
        static: The folder, and how it is served.
    """

    def __init__(self, match: Match, static: Static) -> None:
        self._static = static
        self._prefix = len((match.prefix or "").rstrip("/"))

    async def answer(self, exchange: Exchange) -> Reply:
        """Answer a request."""
        if exchange.head.method not in (b"GET", b"HEAD"):
            allow = ((b"Allow", b"GET, HEAD"),)
            return problem(405, "files are read only", request_id=exchange.request_id, fields=allow)
        path = exchange.path[self._prefix :]
        if not path:
            return self._to_folder(exchange)
        names = segments_of(path)
        if names is None:
            return _missing(exchange)
        is_folder = path.endswith("/")
        if is_folder:
            if not self._static.index:
                return _missing(exchange)
            names.append(self._static.index.encode())
        try:
            return await self._served(exchange, names)
        except FolderError:
            return _missing(exchange) if is_folder else self._to_folder(exchange)

    async def _served(self, exchange: Exchange, names: list[bytes]) -> Reply:
        """Wait for the disk; whoever gives up meanwhile leaves no file open."""
        serving = asyncio.ensure_future(asyncio.to_thread(self._serve, exchange, names))
        try:
            return await asyncio.shield(serving)
        except OSError:
            wait = ((b"Retry-After", b"1"),)
            detail = "the file cannot be read now"
            return problem(503, detail, request_id=exchange.request_id, fields=wait)
        except asyncio.CancelledError:
            serving.add_done_callback(_close_reply)
            raise

    def _serve(self, exchange: Exchange, names: list[bytes]) -> Reply:
        """Find a file and answer with it; waits for the disk."""
        found = find(Path(self._static.root), names, self._variants(exchange))
        if found is None:
            return _missing(exchange)
        reply: Reply | None = None
        try:
            reply = self._reply(exchange, found)
            return reply
        finally:
            if reply is None or isinstance(reply.body, bytes):
                found.file.close()

    def _variants(self, exchange: Exchange) -> tuple[tuple[str, str], ...]:
        """Return the endings of the variants that a client takes, the best first."""
        if not self._static.precompressed:
            return ()
        accepted = exchange.head.index.get(b"accept-encoding")
        return tuple((_ENDINGS[each], each) for each in wanted(accepted, tuple(_ENDINGS)))

    def _reply(self, exchange: Exchange, found: Found) -> Reply:
        index = exchange.head.index
        fields = self._fields(found)
        state = outcome(index, etag=found.etag, modified=int(found.modified))
        if state == "failed":
            return problem(412, "the file is another one now", request_id=exchange.request_id)
        if state == "not_modified":
            return Reply(head=AnswerHead(status=304, fields=fields))
        fields += _content_type(found.name)
        if found.encoding:
            fields.append((b"Content-Encoding", found.encoding.encode()))
        try:
            part = None
            if exchange.head.method == b"GET":
                part = wanted_range(
                    index, found.size, etag=found.etag, modified=int(found.modified)
                )
        except RangeNotSatisfiableError:
            known = ((b"Content-Range", b"bytes */%d" % found.size),)
            detail = f"the file has {found.size} bytes"
            return problem(416, detail, request_id=exchange.request_id, fields=known)
        if part is None:
            status, first, length = 200, 0, found.size
        else:
            status, first, length = 206, part[0], part[1] - part[0] + 1
            place = b"bytes %d-%d/%d" % (part[0], part[1], found.size)
            fields.append((b"Content-Range", place))
        head = AnswerHead(status=status, fields=fields, length=length)
        if exchange.head.method == b"HEAD" or length == 0:
            return Reply(head=head)
        found.file.seek(first)
        if length <= PIECE:
            return Reply(head=head, body=_whole(found.file, length))
        return Reply(head=head, body=FilePieces(found.file, length))

    def _fields(self, found: Found) -> list[Field]:
        fields: list[Field] = [
            (b"ETag", found.etag),
            (b"Last-Modified", http_date(found.modified)),
            (b"Accept-Ranges", b"bytes"),
        ]
        if self._static.precompressed:
            fields.append((b"Vary", b"Accept-Encoding"))
        if self._static.cache_control:
            fields.append((b"Cache-Control", self._static.cache_control.encode()))
        return fields

    def _to_folder(self, exchange: Exchange) -> Reply:
        """Lead to the folder's own address, so that links in its index are right."""
        _, mark, query = exchange.head.path.partition(b"?")
        location = exchange.path.encode("ascii") + b"/" + mark + query
        return Reply(head=AnswerHead(status=308, fields=[(b"Location", location)], length=0))


class FilePieces:
    """Give a part of a file piece by piece; `aclose` closes it.

    Args:
        file: The file, at the beginning of the part.
        length: Of the part (bytes).
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length
        self._reading: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> "FilePieces":
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece.

        Raises:
            EOFError: The file is shorter than it was: the answer must not look whole.
        """
        if self._left == 0:
            raise StopAsyncIteration
        size = min(PIECE, self._left)
        self._reading = asyncio.ensure_future(asyncio.to_thread(self._file.read, size))
        piece = await asyncio.shield(self._reading)
        self._reading = None
        if not piece:
            raise EOFError("the file became shorter while it was sent")
        self._left -= len(piece)
        return piece

    async def aclose(self) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file, once nobody reads it: its number may be another file's right after."""
        if self._reading is None:
            self._file.close()
        else:
            self._reading.add_done_callback(self._read_at_last)

    def _read_at_last(self, reading: asyncio.Future[bytes]) -> None:
        if not reading.cancelled():
            reading.exception()  # nobody waits for it
        self._file.close()


def _close_reply(serving: asyncio.Future[Reply]) -> None:
    """Close what was opened for somebody who is gone."""
    if serving.cancelled() or serving.exception() is not None:
        return
    body = serving.result().body
    if isinstance(body, FilePieces):
        body.close()


def _whole(file: BinaryIO, length: int) -> bytes:
    pieces = []
    while length and (piece := file.read(length)):
        pieces.append(piece)
        length -= len(piece)
    if length:
        raise EOFError("the file became shorter while it was read")
    return b"".join(pieces)


def _content_type(name: str) -> list[Field]:
    ending = Path(name).suffix.lower()
    kind = _NEWER_TYPES.get(ending) or _TYPES.types_map[True].get(ending)
    if kind is None:
        kind = "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith(_UTF8) else ""
    return [
        (b"Content-Type", f"{kind}{charset}".encode()),
        (b"X-Content-Type-Options", b"nosniff"),
    ]


def _missing(exchange: Exchange) -> Reply:
    return problem(404, "there is no such file", request_id=exchange.request_id)
