"""What RFC 9110 and 9112 demand of a gateway, section by section, over raw sockets.

The backend accepts everything, so what is refused is refused by the gateway.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from loadpath.gateway.gateway import Gateway
from tests.faults.gateway.stage import Backend, ask, between, get, port_of, split, talk

HOST = b"Host: shop.example.com\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[tuple[Gateway, Backend]]:
    """One gateway for all."""
    async with between(timeouts={"head": 5.0, "body": 5.0}) as staged:
        yield staged


REFUSED = {
    # RFC 9112 section 2.2: lines and white space
    "bare lf in the request line": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "bare lf after a field": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "cr for a line end": b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    "bare cr in a value": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "white space before the fields": b"GET / HTTP/1.1\r\n \r\n" + HOST + b"\r\n",
    # section 2.3: version
    "version without minor": b"GET / HTTP/1\r\n" + HOST + b"\r\n",
    "version with zeros": b"GET / HTTP/01.01\r\n" + HOST + b"\r\n",
    "version with a space": b"GET / HTTP/ 1.1\r\n" + HOST + b"\r\n",
    "version in lower case": b"GET / http/1.1\r\n" + HOST + b"\r\n",
    # section 3: request line and target
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "tab between": b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul in the target": b"GET /\0a HTTP/1.1\r\n" + HOST + b"\r\n",
    "other letters in the target": b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "overlong utf-8": b"GET /\xc0\xaf HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk for get": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    # section 3.2: host
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: b\r\n\r\n",
    "the same host twice": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "host with a user": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "hosts in a list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    # section 5: fields
    "space before the colon": b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + HOST + b"X\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "bracket in a name": b"GET / HTTP/1.1\r\n" + HOST + b"A[b: c\r\n\r\n",
    "other letters in a name": b"GET / HTTP/1.1\r\n" + HOST + b"X-T\xc3\xab: c\r\n\r\n",
    "fold": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "control in a value": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x07b\r\n\r\n",
    "nul in a value": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    # section 6: length of the message
    **{
        f"length {value!r}": POST + b"Content-Length: " + value + b"\r\n\r\nhello"
        for value in (
            b"abc", b"+5", b"-1", b"-0", b"0x5", b"0o5", b"5, 10", b"5, 5", b"1 0", b"1_0", b"05",
            b"", b"99999999999999999999",
        )
    },
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 10\r\n\r\nhelloworld",
    **{
        f"coding {value!r}": POST + b"Transfer-Encoding:" + value + b"\r\n\r\n0\r\n\r\n"
        for value in (
            b" chunked, gzip", b" chunked, chunked", b"", b" \x0bchunked", b" \x0cchunked",
            b" chunked\0", b"\r\n chunked",
        )
    },
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two codings and a length": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    ),
    "coding of 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon of a coding": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    # section 7.1: chunks
    **{
        f"chunk {line!r}": CHUNKED + line + b"\r\nhello\r\n0\r\n\r\n"
        for line in (
            b"0x5", b"+5", b"-1", b"5 ", b" 5", b"1_0", b"5;", b"5;a[=b", b"5;a\0", b"5;a\rb",
            b"5\n", b"FFFFFFFFFFFFFFFF0", b"g",
        )
    },
    "chunk without an end": CHUNKED + b"5\r\nhello0\r\n\r\n",
    "chunk that is longer": CHUNKED + b"5\r\nhello!!\r\n0\r\n\r\n",
    "chunk size with a bare cr": CHUNKED + b"5\rhello\r\n0\r\n\r\n",
    **{
        f"trailer {name!r}": CHUNKED + b"5\r\nhello\r\n0\r\n" + name + b": a\r\n\r\n"
        for name in (b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_refuses_what_must_be(stage: tuple[Gateway, Backend], name: str) -> None:
    """It is answered with 400 and the connection is closed; the backend sees no whole request."""
    gateway, backend = stage
    before = len(backend.bodies)
    came = await talk(gateway, REFUSED[name] + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
    status, head, _ = split(came)
    assert status == 400
    assert b"connection: close" in head.lower()
    assert came.count(b"\r\nDate: ") == 1
    assert len(backend.bodies) == before


OTHER_STATUS = {
    "unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    "version 9.9": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    "connect": (b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 501),
    "trace": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "long line": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "large head": (
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: %b\r\n" % (i, b"a" * 900) for i in range(50))
        + b"\r\n",
        431,
    ),
    "many fields": (
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X%d: a\r\n" % i for i in range(200)) + b"\r\n",
        431,
    ),
    "large body": (POST + b"Content-Length: 9999999\r\n\r\n", 413),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_STATUS)
async def test_refuses_with_the_right_status(stage: tuple[Gateway, Backend], name: str) -> None:
    """What has a status of its own gets it."""
    request, wanted = OTHER_STATUS[name]
    status, _, _ = await ask(stage[0], request, patience=1.0)
    assert status == wanted


ACCEPTED = {
    "get": (get(), b""),
    "lower case field names": (b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", b""),
    "an empty line before": (b"\r\n" + get(), b""),
    "absolute target": (get("http://other.example.com/x"), b""),
    "long target": (get("/" + "a" * 7_900), b""),
    "length": (POST + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "length 0": (POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n", b""),
    "no length": (POST + b"Connection: close\r\n\r\n", b""),
    "chunk": (CHUNKED[:-2] + b"Connection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "chunks": (
        CHUNKED[:-2] + b"Connection: close\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        b"hello world",
    ),
    "no chunk": (CHUNKED[:-2] + b"Connection: close\r\n\r\n0\r\n\r\n", b""),
    "extension": (CHUNKED[:-2] + b"Connection: close\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailer": (
        CHUNKED[:-2] + b"Connection: close\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: a\r\n\r\n",
        b"hello",
    ),
    "size in capitals": (
        CHUNKED[:-2] + b"Connection: close\r\n\r\nA\r\nhelloworld\r\n0\r\n\r\n",
        b"helloworld",
    ),
    "range of a post": (
        POST + b"Connection: close\r\nRange: bytes=0-1\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    "http/1.0 without host": (b"GET / HTTP/1.0\r\n\r\n", b""),
    "http/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n", b""),
    "get with a body": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepts_what_must_be(stage: tuple[Gateway, Backend], name: str) -> None:
    """It reaches the backend whole, and the connection ends as asked."""
    request, body = ACCEPTED[name]
    status, head, came = await ask(stage[0], request)
    assert status == 200
    assert came == body
    assert b"\r\nDate: " in head


async def test_options_of_the_whole_server(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9112 section 3.2.4: the asterisk asks the gateway itself, which has no body to tell."""
    status, _, body = await ask(stage[0], get("*", method="OPTIONS"))
    assert (status, body) == (204, b"")


async def test_head_has_no_body(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9110 section 9.3.2: whatever the upstream says of its length."""
    status, _, body = await ask(stage[0], get(method="HEAD"))
    assert (status, body) == (200, b"")


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, 5)])
async def test_statuses_without_body(status: int, length: int | None) -> None:
    """RFC 9110 section 6.4.1: 204 and 304 have none, and a 204 has no length."""
    backend = Backend()
    backend = Backend(backend.fixed)
    field = b"" if length is None else b"Content-Length: %d\r\n" % length
    backend.answer = b"HTTP/1.1 %d X\r\n%b\r\n" % (status, field)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await backend.read(reader)
            writer.write(backend.answer)

    async with between(answer) as (gateway, _):
        came, head, body = await ask(gateway, get())
        assert (came, body) == (status, b"")
        assert (b"Content-Length" in head) is (length is not None)


async def test_closes_when_asked(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9112 section 9.6: after `Connection: close` the answer says so and the end comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(stage[0]))
    writer.write(get())
    came = await reader.read(-1)
    assert b"\r\nConnection: close\r\n" in came
    writer.close()


async def test_http_10_is_closed_and_kept_on_demand(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9112 section 9.3: 1.0 ends after one answer, unless it asked to go on."""
    came = await talk(stage[0], b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in came
    kept = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    came = await talk(stage[0], kept + b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert came.count(b"HTTP/1.1 200") == 2
    assert b"\r\nConnection: keep-alive\r\n" in came


async def test_pipelined_requests_are_answered_in_order(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9112 section 9.3.2."""
    requests = b"".join(POST + b"Content-Length: 2\r\n\r\n%02d" % each for each in range(20))
    came = await talk(stage[0], requests + get())
    bodies = [each.partition(b"\r\n\r\n")[2] for each in came.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [*(b"%02d" % each for each in range(20)), b""]


async def test_continue_is_sent_when_the_body_is_wanted(stage: tuple[Gateway, Backend]) -> None:
    """RFC 9110 section 10.1.1: 100 before the body, not with one that is there, none for 1.0."""
    gateway, _ = stage
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
    writer.write(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    came = await talk(
        gateway,
        POST + b"Connection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    )
    assert came.startswith(b"HTTP/1.1 200")


async def test_no_continue_for_what_is_refused(stage: tuple[Gateway, Backend]) -> None:
    """A body that is too large is refused before it is sent."""
    request = POST + b"Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"
    came = await talk(stage[0], request, patience=1.0)
    assert came.startswith(b"HTTP/1.1 413")


async def test_fields_of_one_connection_end_here() -> None:
    """RFC 9110 section 7.6.1: neither side gets the other's, named by `Connection` or not."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await backend.read(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close, X-Own\r\nX-Own: a\r\nKeep-Alive: timeout=5\r\n"
            b"X-Kept: b\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()

    backend = Backend(answer)
    async with between(backend) as (gateway, _):
        request = get("/", "Keep-Alive: 5", "Proxy-Connection: x", "X-Mine: a", "X-Kept: c")
        _, head, _ = await ask(
            gateway, request.replace(b"Connection: close", b"Connection: close, X-Mine")
        )
    sent = backend.heads[0].lower()
    assert b"x-kept: c" in sent
    for name in (b"keep-alive", b"proxy-connection", b"x-mine", b"connection: close"):
        assert name not in sent
    assert b"X-Kept: b" in head
    assert b"X-Own" not in head
    assert b"Keep-Alive" not in head


async def test_absolute_target_decides_the_host() -> None:
    """RFC 9112 section 3.2.2: what `Host` says is replaced by the target's."""
    async with between() as (gateway, backend):
        await ask(gateway, get("http://other.example.com:81/x?y"))
    assert backend.heads[0].startswith(b"GET /x?y HTTP/1.1\r\n")
    assert b"Host: other.example.com:81\r\n" in backend.heads[0]
    assert b"shop.example.com" not in backend.heads[0]


async def test_via_is_added() -> None:
    """RFC 9110 section 7.6.3: a gateway says that the request came through it."""
    async with between() as (gateway, backend):
        await ask(gateway, get("/", "Via: 1.0 before"))
    assert b"Via: 1.0 before, 1.1 loadpath\r\n" in backend.heads[0]


async def test_chunks_for_1_1_and_close_for_1_0() -> None:
    """RFC 9112 section 6.1: an answer without a length is chunked only for who knows chunks."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await backend.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n")
        await writer.drain()
        await reader.read(1)

    backend = Backend(answer)
    async with between(backend) as (gateway, _):
        _, head, body = await ask(gateway, get())
        assert b"Transfer-Encoding: chunked" in head
        assert body == b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
        _, head, body = await ask(gateway, get("/", "TE: trailers"))
        assert body.endswith(b"0\r\nX-Sum: 6\r\n\r\n")
        _, head, body = await ask(gateway, b"GET / HTTP/1.0\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        assert body == b"abcdef"
    assert b"te: trailers" in backend.heads[1].lower()


async def test_a_trailer_that_comes_with_its_body_passes() -> None:
    """An answer that is whole at once keeps its trailer too."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"
        )
        await writer.drain()
        await reader.read(1)

    async with between(Backend(answer)) as (gateway, _):
        _, head, body = await ask(gateway, get("/", "TE: trailers"))
        assert body == b"3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"
        _, head, body = await ask(gateway, get())
        assert b"Content-Length: 3" in head
        assert body == b"abc"


async def test_a_switch_needs_get_and_1_1() -> None:
    """RFC 9110 section 7.8: an upgrade of 1.0, by POST, or to h2c is not passed on."""
    fields = ("Upgrade: websocket", "Sec-WebSocket-Version: 13")
    upgrade = get("/", *fields).replace(b"Connection: close", b"Connection: upgrade")
    async with between() as (gateway, backend):
        for request in (
            upgrade.replace(b"GET ", b"POST "),
            upgrade.replace(b"HTTP/1.1", b"HTTP/1.0"),
            upgrade.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
            upgrade.replace(b"Connection: upgrade", b"Connection: x"),
        ):
            await talk(gateway, request, patience=0.3)
        assert len(backend.heads) == 4
        assert all(b"upgrade:" not in each.lower() for each in backend.heads)
        await talk(gateway, upgrade, patience=0.3)
        assert b"upgrade: websocket" in backend.heads[-1].lower()
