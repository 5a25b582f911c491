"""A real server on the other side: nginx."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from random import Random

import pytest

from loadpath.http import (
    ConnectError,
    ConnectionPool,
    Origin,
    PoolLimits,
    Request,
    ResponseLostError,
)
from loadpath.local import Nginx, nginx
from loadpath.local.ports import free_ports
from tests.faults.http.servers import eventually

SIZE = 2**20
LARGE = Random(1).randbytes(SIZE)
GET = Request(b"GET", b"/hello")


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Nginx]:
    """An nginx with a large file, a place that takes bodies, and one that compresses."""
    (port,) = free_ports(1)
    locations = f"""
        location /hello {{ default_type text/plain; return 200 "hello"; }}
        location /empty {{ return 204; }}
        location /cached {{ add_header ETag '"a"'; return 304; }}
        location /closing {{ keepalive_timeout 0; return 200 "bye"; }}
        location /once {{ keepalive_requests 1; return 200 "once"; }}
        location /large {{ root data; }}
        location /zipped {{ root data; default_type text/plain; gzip on; gzip_types text/plain; }}
        location /length {{ return 200 "$content_length"; }}
        location /sink {{
            client_max_body_size 8m;
            proxy_pass http://127.0.0.1:{port}/length;
        }}
    """
    async with nginx(server=locations, port=port) as server:
        data = server.folder / "nginx" / "data"
        await asyncio.to_thread(data.mkdir)
        for name in ("large", "zipped"):
            await asyncio.to_thread((data / name).write_bytes, LARGE)
        yield server


@pytest.fixture
def origin(server: Nginx) -> Origin:
    """Where it is."""
    return Origin.parse(server.url)


async def body(pieces: int = 16) -> AsyncIterator[bytes]:
    """Give the large body in pieces."""
    step = SIZE // pieces
    for at in range(0, SIZE, step):
        yield LARGE[at : at + step]


async def test_one_connection_serves_many_requests(origin: Origin) -> None:
    """A hundred requests one after the other need one connection."""
    async with ConnectionPool() as pool:
        for _ in range(100):
            response = await pool.request(origin, GET)
            assert (response.status, await response.read()) == (200, b"hello")
        assert pool.snapshot().connects == 1
        assert pool.snapshot().reuses == 99


async def test_many_at_once_share_the_places(origin: Origin) -> None:
    """Two hundred requests at once use no more connections than they may."""
    async with ConnectionPool(limits=PoolLimits(connections=8)) as pool:
        responses = await asyncio.gather(*(pool.request(origin, GET) for _ in range(200)))
        assert {response.status for response in responses} == {200}
        assert pool.snapshot().connects <= 8


@pytest.mark.parametrize("target", [b"/hello", b"/large", b"/zipped"])
async def test_head_has_no_body(origin: Origin, target: bytes) -> None:
    """HEAD tells the length and sends nothing; the connection goes on."""
    async with ConnectionPool() as pool:
        head = Request(b"HEAD", target, [(b"Accept-Encoding", b"gzip")])
        assert await (await pool.request(origin, head)).read() == b""
        assert await (await pool.request(origin, GET)).read() == b"hello"
        assert pool.snapshot().connects == 1


@pytest.mark.parametrize(("target", "status"), [(b"/empty", 204), (b"/cached", 304)])
async def test_a_status_without_a_body(origin: Origin, target: bytes, status: int) -> None:
    """204 and 304 end with their head."""
    async with ConnectionPool() as pool:
        response = await pool.request(origin, Request(b"GET", target))
        assert (response.status, await response.read()) == (status, b"")
        assert await (await pool.request(origin, GET)).read() == b"hello"
        assert pool.snapshot().connects == 1


@pytest.mark.parametrize("target", [b"/closing", b"/once"])
async def test_a_server_that_closes_after_its_answer(origin: Origin, target: bytes) -> None:
    """`Connection: close` is obeyed: the next request goes over another connection."""
    async with ConnectionPool() as pool:
        for _ in range(3):
            response = await pool.request(origin, Request(b"POST", target))
            assert response.status == 200
            await response.read()
        assert pool.snapshot().connects == 3
        assert pool.snapshot().retries == 0


async def test_a_request_that_closes(origin: Origin) -> None:
    """A request may end its connection itself."""
    async with ConnectionPool() as pool:
        closing = Request(b"GET", b"/hello", [(b"Connection", b"close")])
        assert await (await pool.request(origin, closing)).read() == b"hello"
        assert pool.snapshot().connections == 0


async def test_a_large_file(origin: Origin) -> None:
    """A mebibyte comes whole, at once and piece by piece."""
    async with ConnectionPool() as pool:
        assert await (await pool.request(origin, Request(b"GET", b"/large"))).read() == LARGE
        async with await pool.request(origin, Request(b"GET", b"/large")) as response:
            assert b"".join([piece async for piece in response]) == LARGE
        assert pool.snapshot().connects == 1


async def test_chunks(origin: Origin) -> None:
    """A body whose length nginx does not know comes in chunks."""
    async with ConnectionPool() as pool:
        request = Request(b"GET", b"/zipped", [(b"Accept-Encoding", b"gzip")])
        response = await pool.request(origin, request)
        assert response.get(b"transfer-encoding") == b"chunked"
        assert gzip.decompress(await response.read()) == LARGE
        assert await (await pool.request(origin, GET)).read() == b"hello"
        assert pool.snapshot().connects == 1


async def test_bodies_are_sent(origin: Origin) -> None:
    """Whole, in chunks, or in pieces of an announced length, a mebibyte arrives."""
    length = [(b"Content-Length", b"%d" % SIZE)]
    async with ConnectionPool() as pool:
        for request in (
            Request(b"POST", b"/sink", body=LARGE),
            Request(b"POST", b"/sink", body=body()),
            Request(b"POST", b"/sink", length, body()),
            Request(b"POST", b"/sink", [(b"Transfer-Encoding", b"chunked")], body()),
            Request(b"PUT", b"/sink", [(b"Expect", b"100-continue")], LARGE),
        ):
            response = await pool.request(origin, request)
            assert (response.status, await response.read()) == (200, b"%d" % SIZE)
        assert pool.snapshot().connects == 1
        empty = await pool.request(origin, Request(b"POST", b"/sink"))
        assert await empty.read() == b"0"


async def test_a_body_that_is_too_large_is_refused(origin: Origin) -> None:
    """A 413 of nginx comes before it has read all, and is heard."""
    async with ConnectionPool() as pool:
        response = await pool.request(origin, Request(b"POST", b"/sink", body=LARGE * 9))
        assert response.status == 413
        await response.read()
        assert await (await pool.request(origin, GET)).read() == b"hello"


async def test_an_unread_answer_does_not_disturb_the_next(origin: Origin) -> None:
    """A large file that is left in the middle takes its connection with it."""
    async with ConnectionPool(limits=PoolLimits(connections=1)) as pool:
        for _ in range(3):
            async with await pool.request(origin, Request(b"GET", b"/large")) as response:
                assert await response.read_some()
            assert await (await pool.request(origin, GET)).read() == b"hello"


async def test_a_restart_is_not_noticed() -> None:
    """Kept connections of a server that was restarted are found out; nobody hears an error."""
    async with (
        nginx(server='location / { return 200 "hello"; }') as server,
        ConnectionPool() as pool,
    ):
        origin = Origin.parse(server.url)
        for _ in range(3):
            responses = await asyncio.gather(*(pool.request(origin, GET) for _ in range(10)))
            assert [await each.read() for each in responses] == [b"hello"] * 10
            await server.restart()
        assert await (await pool.request(origin, Request(b"POST", b"/"))).read() == b"hello"


async def test_a_server_that_is_killed_and_comes_back() -> None:
    """While it is away nothing is sent; afterwards it is asked as before."""
    async with (
        nginx(server='location / { return 200 "hello"; }') as server,
        ConnectionPool() as pool,
    ):
        origin = Origin.parse(server.url)
        assert await (await pool.request(origin, GET)).read() == b"hello"
        await server.stop()
        with pytest.raises(ConnectError):
            await pool.request(origin, GET)
        await server.start()
        assert await (await pool.request(origin, GET)).read() == b"hello"


async def test_requests_go_on_while_it_restarts() -> None:
    """Under load a restart shows as refusals and answers in doubt, and nothing else."""
    async with (
        nginx(server='location / { return 200 "hello"; }') as server,
        ConnectionPool() as pool,
    ):
        origin = Origin.parse(server.url)
        answered = 0
        done = asyncio.Event()

        async def ask() -> None:
            nonlocal answered
            while not done.is_set():
                try:
                    assert await (await pool.request(origin, GET)).read() == b"hello"
                    answered += 1
                except (ConnectError, ResponseLostError):
                    await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(ask())
            await asyncio.sleep(0.05)
            await server.restart()
            enough = answered + 100
            await eventually(lambda: answered >= enough)
            done.set()
        assert pool.snapshot().connections == pool.snapshot().idle
