"""Files."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loadpath.gateway.exchange import Reply
from loadpath.gateway.filters.static import PIECE, FilePieces, StaticHandler
from loadpath.gateway.settings.routes import Match, Static
from tests.unit.gateway.filters.exchanges import asked, field

BIG = bytes(range(256)) * (2 * PIECE // 256) + b"end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files, and some outside it."""
    root = tmp_path / "www"
    (root / "sub").mkdir(parents=True)
    (root / "bare").mkdir()
    (root / ".well-known").mkdir()
    (root / "a.txt").write_bytes(b"0123456789")
    (root / "empty").touch()
    (root / "b.js").write_text("let a")
    (root / "b.js.gz").write_bytes(b"gzipped")
    (root / "b.js.br").write_bytes(b"brotli")
    (root / "b.js.zst").mkdir()
    (root / "big").write_bytes(BIG)
    (root / "a b%.txt").write_text("odd name")
    (root / "sub" / "index.html").write_text("index")
    (root / ".env").write_text("secret")
    (root / ".well-known" / "known").write_text("known")
    (root / "inside").symlink_to("a.txt")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "updir").symlink_to(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "www-other").mkdir()
    (tmp_path / "www-other" / "secret").write_text("secret")
    return root


def handler(folder: Path, prefix: str | None = "/f", **options: object) -> StaticHandler:
    """Return a handler for a folder below a prefix."""
    return StaticHandler(Match(prefix=prefix), Static(root=str(folder), **options))  # type: ignore[arg-type] # of each test


async def got(
    folder: Path, path: str, *, method: str = "GET", **fields: str
) -> tuple[Reply, bytes]:
    """Return an answer and its body; whatever it holds is let go."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    reply = await handler(folder).answer(asked(f"/f{path}", method=method, fields=named))
    if isinstance(reply.body, bytes):
        return reply, reply.body
    body = b"".join([piece async for piece in reply.body])
    await reply.body.aclose()
    return reply, body


async def test_a_file_with_all_that_caches_need(folder: Path) -> None:
    """Type, length, strong ETag, date, ranges; and no guessing of types by browsers."""
    reply, body = await got(folder, "/a.txt")
    assert (reply.head.status, body, reply.head.length) == (200, b"0123456789", 10)
    assert field(reply.head, "content-type") == "text/plain; charset=utf-8"
    assert field(reply.head, "x-content-type-options") == "nosniff"
    assert field(reply.head, "accept-ranges") == "bytes"
    etag = field(reply.head, "etag")
    assert etag is not None
    assert etag.startswith('"')
    assert (await got(folder, "/a.txt", If_None_Match=etag))[0].head.status == 304
    assert (await got(folder, "/a.txt", If_Match='"other"'))[0].head.status == 412


async def test_large_files_come_in_pieces(folder: Path) -> None:
    """All of it arrives, and any part of it."""
    assert (await got(folder, "/big"))[1] == BIG
    reply, body = await got(folder, "/big", Range="bytes=3-")
    assert (reply.head.status, body) == (206, BIG[3:])
    assert field(reply.head, "content-range") == f"bytes 3-{len(BIG) - 1}/{len(BIG)}"


@pytest.mark.parametrize(
    ("asked_range", "status", "body"),
    [("bytes=2-4", 206, b"234"), ("bytes=-3", 206, b"789"), ("bytes=0-0,2-2", 200, b"0123456789")],
)
async def test_parts(folder: Path, asked_range: str, status: int, body: bytes) -> None:
    """One part, from either end; for several everything is sent."""
    reply, sent = await got(folder, "/a.txt", Range=asked_range)
    assert (reply.head.status, sent) == (status, body)


async def test_a_part_behind_the_end(folder: Path) -> None:
    """416 says how large the file is; of an empty file there is no part."""
    for path, size in (("/a.txt", 10), ("/empty", 0)):
        reply, _ = await got(folder, path, Range="bytes=10-")
        assert reply.head.status == 416
        assert field(reply.head, "content-range") == f"bytes */{size}"


async def test_head_says_what_get_would(folder: Path) -> None:
    """The same fields and length, no body; a range is for GET only."""
    whole, _ = await got(folder, "/big")
    head, body = await got(folder, "/big", method="HEAD", Range="bytes=1-2")
    assert body == b""
    assert head.head == whole.head


@pytest.mark.parametrize(
    ("accepted", "body", "encoding"),
    [
        ("gzip", b"gzipped", "gzip"),
        ("gzip, br", b"brotli", "br"),
        ("zstd", b"let a", None),
        ("zstd, gzip;q=0.2", b"gzipped", "gzip"),
        ("br;q=0", b"let a", None),
        ("gzip, deflate, br, zstd", b"brotli", "br"),
        ("*", b"brotli", "br"),
    ],
)
async def test_a_variant_that_lies_beside_is_served(
    folder: Path, accepted: str, body: bytes, encoding: str | None
) -> None:
    """The best one that the client takes and that is there, as the type of the file itself."""
    reply, sent = await got(folder, "/b.js", Accept_Encoding=accepted)
    assert (sent, field(reply.head, "content-encoding")) == (body, encoding)
    assert field(reply.head, "content-type") == "text/javascript; charset=utf-8"
    assert field(reply.head, "vary") == "Accept-Encoding"
    plain, _ = await got(folder, "/b.js")
    same = field(reply.head, "etag") == field(plain.head, "etag")
    assert same is (encoding is None)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/sub/../../secret",
        "/..%5csecret",
        "//../secret",
        "/a.txt%00.jpg",
        "/../www-other/secret",
        "/outside",
        "/updir/secret",
        "/updir/www-other/secret",
        "/.env",
        "/.ENV",
        "/sub/.git/config",
        "/a.txt/",
        "/a.txt/x",
        "/nothing",
        "/bare/",
        "/" + "x" * 5_000,
    ],
)
async def test_nothing_else_is_served(folder: Path, path: str) -> None:
    """Neither what lies outside, nor what is hidden, nor what is not there: all are 404."""
    reply, body = await got(folder, path)
    assert reply.head.status == 404
    assert b"secret" not in body


async def test_names_and_links_inside(folder: Path) -> None:
    """Escaped names, links that stay inside, and `.well-known` are served."""
    assert (await got(folder, "/a%20b%25.txt"))[1] == b"odd name"
    assert (await got(folder, "/inside"))[1] == b"0123456789"
    assert (await got(folder, "/.well-known/known"))[1] == b"known"


async def test_folders(folder: Path) -> None:
    """A folder is its index, at an address with a slash; without an index there is none."""
    assert (await got(folder, "/sub/"))[1] == b"index"
    for path, location in (("/sub?a=1", "/f/sub/?a=1"), ("", "/f/")):
        reply, _ = await got(folder, path)
        assert (reply.head.status, field(reply.head, "location")) == (308, location)
    reply = await handler(folder, index="").answer(asked("/f/sub/"))
    assert reply.head.status == 404


async def test_files_are_read_only(folder: Path) -> None:
    """Other methods are 405, with those that are allowed."""
    reply, _ = await got(folder, "/a.txt", method="DELETE")
    assert (reply.head.status, field(reply.head, "allow")) == (405, "GET, HEAD")


@pytest.fixture
def odd(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a pipe and a socket into the folder."""
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        yield folder


async def test_what_is_no_file_is_not_opened(odd: Path) -> None:
    """A pipe would make its reader wait for ever, a socket cannot be read."""
    for name in ("/pipe", "/sock"):
        assert (await got(odd, name))[0].head.status == 404


@contextmanager
def full() -> Iterator[None]:
    """Leave this process no more open files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_file_that_cannot_be_opened_now_is_not_missing(folder: Path) -> None:
    """503 with a wait: a cache must not learn that it is gone."""
    with full():
        reply, _ = await got(folder, "/a.txt")
    assert reply.head.status == 503
    assert field(reply.head, "retry-after") == "1"


async def test_who_gives_up_leaves_no_file_open(folder: Path) -> None:
    """Before the file is open, and while it is read."""
    serving = handler(folder)
    before = open_files()
    for _ in range(20):
        task = asyncio.create_task(serving.answer(asked("/f/big")))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await until(lambda: open_files() == before)


async def test_a_file_is_closed_only_when_nobody_reads_it(tmp_path: Path) -> None:
    """Its number could be a client's connection by the time that it is read."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    file = await asyncio.to_thread(path.open, "rb", buffering=0)
    pieces = FilePieces(file, 100)
    reading = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0.02)
    reading.cancel()
    await asyncio.wait([reading])
    await pieces.aclose()
    assert not file.closed
    os.write(writer, b"something")
    await until(lambda: file.closed)
    os.close(writer)


def open_files() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not read


async def until(condition: Callable[[], bool]) -> None:
    """Return when something has come true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.005)


async def test_another_version_is_put_in_place_by_a_link(folder: Path) -> None:
    """The root may be a link, and what it leads to is looked up for each request."""
    root = folder.parent / "current"
    for name, body in (("one", b"1"), ("two", b"2")):
        await asyncio.to_thread(_deploy, root, folder.parent / name, body)
        assert (await got(root, "/a"))[1] == body


def _deploy(root: Path, version: Path, body: bytes) -> None:
    version.mkdir()
    (version / "a").write_bytes(body)
    link = root.with_suffix(".new")
    link.symlink_to(version)
    link.replace(root)


async def test_a_file_that_shrinks_breaks_off(folder: Path) -> None:
    """What was announced cannot be sent any more, and that shows."""
    reply = await handler(folder).answer(asked("/f/big"))
    assert isinstance(reply.body, FilePieces)
    await asyncio.to_thread((folder / "big").write_bytes, b"short")
    with pytest.raises(EOFError, match="shorter"):
        async for _ in reply.body:
            pass
    await reply.body.aclose()


async def test_a_route_without_a_prefix_looks_up_the_whole_path(folder: Path) -> None:
    """The path below the root is the path of the file."""
    reply = await handler(folder, prefix=None).answer(asked("/sub/index.html"))
    assert reply.body == b"index"
