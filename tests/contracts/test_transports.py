"""httpx and httpx2 behave alike over their own transport, over ours, and over an upstream."""

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import httpx2
import msgspec
import pytest

from loadpath.core.errors import LoadpathError
from loadpath.http import ConnectionPool, Origin, PoolLimits
from loadpath.upstream import Httpx2Transport, HttpxTransport, Upstream
from tests.contracts.mirror_server import Seen, mirroring
from tests.faults.http.servers import saying, serving

Opened = Callable[..., AbstractAsyncContextManager[Any]]
OURS = {httpx: HttpxTransport, httpx2: Httpx2Transport}


class Kind:
    """Make clients of one module over one kind of transport."""

    def __init__(self, module: ModuleType, way: str) -> None:
        self.module: Any = module
        self.way = way
        self.ours = way != "own"

    @asynccontextmanager
    async def client(
        self, origin: Origin, *, connections: int = 10, **given: Any
    ) -> AsyncIterator[Any]:
        """Open a client whose base is the origin."""
        async with (
            self._transport(origin, connections) as transport,
            self.module.AsyncClient(transport=transport, base_url=str(origin), **given) as client,
        ):
            yield client

    @asynccontextmanager
    async def _transport(self, origin: Origin, connections: int) -> AsyncIterator[Any]:
        if self.way == "own":
            limits = self.module.Limits(max_connections=connections)
            yield self.module.AsyncHTTPTransport(limits=limits)
            return
        async with ConnectionPool(limits=PoolLimits(connections=connections)) as pool:
            if self.way == "plain":
                yield OURS[self.module](pool=pool)
            else:
                address = f"{origin.host}:{origin.port}"
                async with Upstream("here", [address], pool=pool, retry=None) as upstream:
                    yield OURS[self.module](upstream)
            assert pool.snapshot().connections == pool.snapshot().idle


KINDS = [Kind(module, way) for module in (httpx, httpx2) for way in ("own", "plain", "upstream")]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind.module.__name__}-{kind.way}")
def kind(request: pytest.FixtureRequest) -> Kind:
    """Give each kind of client."""
    made: Kind = request.param
    return made


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """Run a server that tells what it was asked."""
    async with mirroring() as here:
        yield here


def seen(response: Any) -> Seen:
    """Return what the server saw."""
    return seen_in(response.content)


def seen_in(body: bytes) -> Seen:
    """Return what the server says that it saw."""
    return msgspec.json.decode(body, type=Seen)


async def test_a_request_arrives_and_its_answer_comes_back(kind: Kind, origin: Origin) -> None:
    """Method, path, query, fields and body arrive; status, fields and body come back."""
    async with kind.client(origin) as client:
        response = await client.post("/a b?q=1&r=%20", json={"x": 1}, headers={"X-One": "1"})
        assert response.status_code == 200
        assert response.extensions["http_version"] == b"HTTP/1.1"
        assert response.reason_phrase == "OK"
        assert response.headers.get_list("x-twice") == ["1", "2"]
        asked = seen(response)
        assert asked.method == "POST"
        assert asked.path == "/a%20b?q=1&r=%20"
        assert msgspec.json.decode(asked.body) == {"x": 1}
        assert asked.fields["content-length"] == str(len(asked.body))
        assert asked.fields["host"] == f"{origin.host}:{origin.port}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_every_method(kind: Kind, origin: Origin, method: str) -> None:
    """Each method arrives as itself, one after the other over the same connection."""
    async with kind.client(origin) as client:
        for _ in range(2):
            response = await client.request(method, "/")
            assert response.status_code == 200
            if method != "HEAD":
                assert seen(response).method == method


async def test_bodies_go_up_in_pieces(kind: Kind, origin: Origin) -> None:
    """An async iterator is sent in chunks, with a length of its own as it is."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one", b"", b"two"):
            await asyncio.sleep(0)
            yield piece

    async with kind.client(origin) as client:
        assert seen(await client.put("/", content=pieces())).body == "onetwo"
        response = await client.put("/", content=pieces(), headers={"Content-Length": "6"})
        assert seen(response).body == "onetwo"
        assert "transfer-encoding" not in seen(response).fields


async def test_files_go_up(kind: Kind, origin: Origin) -> None:
    """A multipart form, which httpx makes as it sends, arrives whole."""
    async with kind.client(origin) as client:
        response = await client.post("/", data={"a": "b"}, files={"f": ("name", b"content")})
        assert "content" in seen(response).body
        assert 'name="a"' in seen(response).body


async def test_bodies_come_down_in_pieces(kind: Kind, origin: Origin) -> None:
    """A chunked body is given as it comes, or left before its end."""
    async with kind.client(origin) as client:
        async with client.stream("GET", "/chunks") as response:
            came = b"".join([piece async for piece in response.aiter_bytes()])
            assert seen_in(came).path == "/chunks"
        async with client.stream("GET", "/chunks") as response:
            assert response.status_code == 200
        assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/gzip", "/none", "/chunks"])
async def test_a_response_that_was_read(kind: Kind, origin: Origin, path: str) -> None:
    """It is closed, told its size and time, and may be looked at again, even by another process."""
    async with kind.client(origin) as client:
        response = await client.get(path)
    size = len(response.content)
    assert response.is_closed
    assert response.is_stream_consumed
    assert response.num_bytes_downloaded == size or path == "/gzip"
    assert (response.num_bytes_downloaded > 0) == (size > 0)
    assert response.elapsed.total_seconds() > 0
    assert await response.aread() == response.content
    assert b"".join([piece async for piece in response.aiter_bytes(3)]) == response.content
    with pytest.raises(kind.module.StreamConsumed):
        await anext(response.aiter_raw())
    assert pickle.loads(pickle.dumps(response)).content == response.content  # noqa: S301 - our own


async def test_a_response_that_is_streamed(kind: Kind, origin: Origin) -> None:
    """Its body is given as it came, once, and not after it was closed."""
    async with kind.client(origin) as client:
        async with client.stream("GET", "/") as response:
            assert not response.is_closed
            came = b"".join([piece async for piece in response.aiter_raw()])
            assert seen_in(came).path == "/"
            with pytest.raises(kind.module.StreamConsumed):
                await response.aread()
        async with client.stream("GET", "/") as response:
            pass
        with pytest.raises(kind.module.StreamClosed):
            await response.aread()
        async with client.stream("GET", "/") as response:
            assert seen_in(await response.aread()).path == "/"


async def test_what_httpx_does_itself_still_works(kind: Kind, origin: Origin) -> None:
    """Redirects, cookies, content coding and answers without a body."""
    async with kind.client(origin, follow_redirects=True) as client:
        response = await client.get("/moved")
        assert seen(response).path == "/there"
        assert seen(response).fields["cookie"] == "a=b"
        assert seen(await client.get("/gzip")).path == "/gzip"
        empty = await client.delete("/none")
        assert (empty.status_code, empty.content) == (204, b"")
        assert (await client.get("/busy")).status_code == 503


async def test_many_at_once(kind: Kind, origin: Origin) -> None:
    """More callers than connections all get their own answer."""
    async with kind.client(origin, connections=3) as client:
        answers = await asyncio.gather(*(client.get(f"/{n}") for n in range(40)))
        assert [seen(each).path for each in answers] == [f"/{n}" for n in range(40)]


async def raised(client: Any, **given: Any) -> Exception:
    """Return the error of a request."""
    try:
        await client.get("/", **given)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    pytest.fail("no error")


def check(kind: Kind, error: Exception, name: str) -> None:
    """Check an error's class, its request, and that ours is behind it."""
    assert type(error) is getattr(kind.module, name), repr(error)
    assert str(error.request.url).startswith("http://")  # type: ignore[attr-defined] # httpx's
    if kind.ours:
        assert isinstance(error.__cause__, LoadpathError)
        assert str(error)


async def test_a_refused_connection(kind: Kind) -> None:
    """Nobody listens: ConnectError."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Origin("127.0.0.1", taken.getsockname()[1])
        async with kind.client(nobody) as client:
            check(kind, await raised(client), "ConnectError")


SAID = {
    "closes": (b"", "close", "RemoteProtocolError"),
    "garbage": (b"\x00\x01garbage\r\n\r\n", "close", "RemoteProtocolError"),
    "half a head": (b"HTTP/1.1 200 O", "close", "RemoteProtocolError"),
    "half a body": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "close",
        "RemoteProtocolError",
    ),
    "a broken chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "hang",
        "RemoteProtocolError",
    ),
    "hangs": (b"", "hang", "ReadTimeout"),
    "hangs in its body": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "hang",
        "ReadTimeout",
    ),
}


@pytest.mark.parametrize("said", SAID, ids=str)
async def test_a_server_that_misbehaves(kind: Kind, said: str) -> None:
    """Each misbehaviour is the error that httpx has for it, and costs its connection only."""
    answer, then, name = SAID[said]
    async with serving(saying(answer, then=then)) as origin:
        timeout = kind.module.Timeout(20.0, read=0.1)
        async with kind.client(origin, timeout=timeout) as client:
            check(kind, await raised(client), name)


async def test_a_full_pool(kind: Kind) -> None:
    """No connection comes free in time: PoolTimeout."""
    async with serving(saying(b"", then="hang")) as origin:
        timeout = kind.module.Timeout(20.0, pool=0.05)
        async with kind.client(origin, connections=1, timeout=timeout) as client:
            first = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0.05)
            check(kind, await raised(client), "PoolTimeout")
            first.cancel()
            await asyncio.wait([first])


async def test_what_cannot_be_sent(kind: Kind, origin: Origin) -> None:
    """A field with a line feed in it never leaves: LocalProtocolError."""
    async with kind.client(origin) as client:
        error = await raised(client, headers={"X-One": "a\nb"})
        assert type(error) is kind.module.LocalProtocolError
        assert (await client.get("/")).status_code == 200


async def test_another_scheme(kind: Kind, origin: Origin) -> None:
    """An upstream does not ask the URL where to go; the others know http and https."""
    if kind.way == "upstream":
        return
    async with kind.client(origin) as client:
        with pytest.raises(kind.module.UnsupportedProtocol):
            await client.get("gopher://127.0.0.1/")


async def test_cancelled_callers(kind: Kind) -> None:
    """Callers that are cancelled while they wait or read leave no connection in use behind."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    async with serving(saying(answer, then="hang")) as origin:
        before = asyncio.all_tasks()
        async with kind.client(origin, connections=2) as client:
            for turns in range(0, 40, 3):
                tasks = [asyncio.create_task(client.get("/")) for _ in range(4)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                assert all(task.cancelled() for task in tasks)
        if kind.ours:
            assert asyncio.all_tasks() - before <= {asyncio.current_task()} | open_servers(before)


def open_servers(before: set["asyncio.Task[Any]"]) -> set["asyncio.Task[Any]"]:
    """Return the tasks of the server, which is still there and may have more connections by now."""
    return {task for task in asyncio.all_tasks() - before if "one" in repr(task.get_coro())}
