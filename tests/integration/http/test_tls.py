"""TLS: verified by default, the right name asked for, and all rules of plain connections kept."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest

from loadpath.http import (
    BodyLostError,
    ConnectError,
    ConnectionPool,
    ConnectTimeoutError,
    Origin,
    PoolLimits,
    Request,
    ResponseTimeoutError,
    Timeouts,
    client_context,
)
from tests.faults.http.servers import Echo, none_open, saying, serving
from tests.integration.http.certificates import Authority

GET = Request(b"GET", b"/")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only this test run knows."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def echoing_over_tls(context: ssl.SSLContext) -> AsyncIterator[Origin]:
    """Run the honest server over TLS."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context)
    try:
        yield Origin("127.0.0.1", server.sockets[0].getsockname()[1], tls=True)
    finally:
        server.close()
        await server.wait_closed()
        await none_open()


async def test_a_trusted_server_is_asked(authority: Authority) -> None:
    """Requests go over one kept connection, large answers come whole."""
    tls = authority.trusting()
    async with (
        echoing_over_tls(authority.serving("127.0.0.1")) as origin,
        ConnectionPool(tls=tls) as pool,
    ):
        for way, times in ((b"", 1), (b"chunked", 1), (b"large", 20_000), (b"slow", 1)):
            response = await pool.request(origin, Request(b"GET", b"/path?" + way))
            assert await response.read() == b"/path" * times
        assert pool.snapshot().connects == 1
    await none_open()


async def test_an_unknown_authority_is_not_trusted(authority: Authority) -> None:
    """By default a server must be known to the system: nothing is sent to others."""
    async with (
        serving(saying(OK), tls=authority.serving("127.0.0.1")) as origin,
        ConnectionPool() as pool,
    ):
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await pool.request(origin, GET)
        assert pool.snapshot().connections == 0


async def test_another_name_is_not_trusted(authority: Authority) -> None:
    """A good certificate of somebody else is no certificate."""
    async with (
        serving(saying(OK), tls=authority.serving("other.example")) as origin,
        ConnectionPool(tls=authority.trusting()) as pool,
    ):
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await pool.request(origin, GET)


async def test_the_name_is_sent_and_verified(authority: Authority) -> None:
    """A server that is reached by its address may be asked for by its name."""
    asked: list[str | None] = []
    context = authority.serving("orders.example")
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with (
        serving(saying(OK), tls=context) as origin,
        ConnectionPool(tls=authority.trusting()) as pool,
    ):
        named = msgspec.structs.replace(origin, server_name="orders.example")
        assert await (await pool.request(named, GET)).read() == b"hi"
    assert asked == ["orders.example"]


async def test_plain_text_is_no_tls(authority: Authority) -> None:
    """A server without TLS is not talked to."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)
        await writer.drain()

    async with serving(plain) as origin, ConnectionPool(tls=authority.trusting()) as pool:
        with pytest.raises(ConnectError):
            await pool.request(msgspec.structs.replace(origin, tls=True), GET)
        assert pool.snapshot().connections == 0


async def test_a_handshake_that_hangs(authority: Authority) -> None:
    """The time to connect includes the handshake."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await reader.read()
        await asyncio.sleep(60)

    async with serving(silent) as origin, ConnectionPool(tls=authority.trusting()) as pool:
        with pytest.raises(ConnectTimeoutError):
            await pool.request(
                msgspec.structs.replace(origin, tls=True), GET, timeouts=Timeouts(connect=0.1)
            )
        assert pool.snapshot().connections == 0


async def test_a_server_that_hangs_or_breaks_off(authority: Authority) -> None:
    """The errors are those of a plain connection."""
    context = authority.serving("127.0.0.1")
    async with ConnectionPool(tls=authority.trusting()) as pool:
        async with serving(saying(b"", then="hang"), tls=context) as origin:
            with pytest.raises(ResponseTimeoutError):
                await pool.request(origin, GET, timeouts=Timeouts(read=0.1))
        async with serving(saying(OK[:-1]), tls=context) as origin:
            response = await pool.request(origin, GET)
            with pytest.raises(BodyLostError):
                await response.read()
        assert pool.snapshot().connections == 0


async def test_a_slow_reader_lets_the_server_wait(authority: Authority) -> None:
    """Back-pressure reaches through TLS both ways."""
    size = 3_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(100_000)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(answer)
        await reader.read()

    async with (
        serving(script, tls=authority.serving("127.0.0.1"), limit=2**24) as origin,
        ConnectionPool(tls=authority.trusting()) as pool,
    ):
        response = await pool.request(origin, Request(b"PUT", b"/", body=pieces()))
        await asyncio.sleep(0.05)
        assert len(await response.read()) == size


@pytest.mark.parametrize("seed", range(2))
async def test_cancelled_anywhere(authority: Authority, seed: int) -> None:
    """Callers that are cancelled, in the handshake as well, leave nothing behind."""
    random = Random(seed)
    limits = PoolLimits(connections=3)
    async with echoing_over_tls(authority.serving("127.0.0.1")) as origin:
        async with ConnectionPool(limits=limits, tls=authority.trusting()) as pool:

            async def ask(number: int) -> None:
                way = random.choice([b"", b"large", b"close", b"slow"])
                response = await pool.request(origin, Request(b"GET", b"/%d?%b" % (number, way)))
                async with response:
                    came = await response.read()
                    assert came == b"/%d" % number * (20_000 if way == b"large" else 1)

            for wave in range(8):
                tasks = [asyncio.create_task(ask(100 * wave + n)) for n in range(12)]
                for task in random.sample(tasks, 8):
                    for _ in range(random.randrange(8)):
                        await asyncio.sleep(random.choice([0, 0, 0.001]))
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError | None) for each in ended)
            assert pool.snapshot().connections == pool.snapshot().idle
        assert pool.snapshot().connections == 0
        await none_open()


def test_the_default_verifies() -> None:
    """Settings that nobody gave check certificate and name."""
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
