"""A server that dies, stalls, restarts, hangs up, or speaks nonsense."""

import asyncio
import signal
import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis

from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.local import Valkey, valkey
from loadpath.local.ports import LOOPBACK
from loadpath.resp import (
    Address,
    Limits,
    LoadingError,
    NotConnectedError,
    ReplyLostError,
    RespClient,
)
from loadpath.resp.redis import RedisCommands
from tests.faults.resp.conftest import QUICK
from tests.faults.resp.link import Link

SOON = Backoff(base=0.02, cap=0.05, jitter="equal")


async def until_answered(client: RespClient) -> None:
    """Return once the client reaches its server again."""
    async with asyncio.timeout(30):
        while True:
            with suppress(RejectedError, InDoubtError):
                await client.execute("PING")
                return
            await asyncio.sleep(0.01)


async def until(done: Callable[[], bool]) -> None:
    """Look until it is done."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def test_a_killed_server_leaves_commands_in_doubt_and_is_found_again(
    server: Valkey, link: Link
) -> None:
    """Held replies never come: each caller hears so, later ones are refused, then all is well."""
    async with RespClient(link.url(server.url), limits=QUICK, backoff=SOON) as client:
        link.flowing.clear()
        replies = [client.execute("INCR", "n") for _ in range(50)]
        await asyncio.sleep(0.05)
        await server.kill()
        outcomes = await asyncio.gather(*replies, return_exceptions=True)
        assert {type(one) for one in outcomes} == {ReplyLostError}
        link.flowing.set()
        await server.restart()
        await until_answered(client)
        assert await client.execute("INCR", "n") == 1
        assert client.snapshot().connections == 2


async def test_a_refusal_says_when_to_come_back(server: Valkey) -> None:
    """While nobody is there, a command is not sent and its caller does not wait."""
    slowly = Backoff(base=5.0, cap=5.0, jitter="none")
    async with RespClient(server.url, backoff=slowly) as client:
        await server.kill()
        with pytest.raises((NotConnectedError, ReplyLostError)):
            await client.execute("PING")
        outcomes = await asyncio.gather(*(_ping(client) for _ in range(3)), return_exceptions=True)
        assert {type(one) for one in outcomes[1:]} == {NotConnectedError}
        refused = outcomes[-1]
        assert isinstance(refused, NotConnectedError)
        assert refused.retry_after is not None
        assert 0 < refused.retry_after <= 5.0
        assert not client.snapshot().connected


async def _ping(client: RespClient) -> object:
    return await client.execute("PING")


async def test_a_stopped_server_is_noticed_by_silence(server: Valkey) -> None:
    """SIGSTOP: the connection stands, no byte comes; the read timeout ends it, all in doubt."""
    async with RespClient(server.url, limits=QUICK, backoff=SOON) as client:
        server._started().send_signal(signal.SIGSTOP)
        replies = [client.execute("SET", "a", number) for number in range(10)]
        outcomes = await asyncio.gather(*replies, return_exceptions=True)
        assert {type(one) for one in outcomes} == {ReplyLostError}
        assert "not answered for" in str(outcomes[0])
        server._started().send_signal(signal.SIGCONT)
        await until_answered(client)


async def test_an_idle_client_notices_a_stopped_server(server: Valkey) -> None:
    """The keepalive asks on behalf of those who only listen, and they hear of the gap."""
    gap = asyncio.Event()
    heard: list[bytes] = []
    async with (
        RespClient(server.url, limits=QUICK, backoff=SOON) as client,
        client.subscribed("news", heard.append, on_gap=gap.set),
    ):
        server._started().send_signal(signal.SIGSTOP)
        await until(lambda: not client.snapshot().connected)
        server._started().send_signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            await gap.wait()
        assert await client.execute("PUBLISH", "news", "again") == 1
        await client.execute("PING")
        assert heard[-1:] == [b"again"]


async def test_a_busy_loop_is_no_stalled_server(server: Valkey) -> None:
    """When we were held up ourselves, the reply is in the socket: nothing is dropped."""
    async with RespClient(server.url, limits=QUICK) as client:
        reply = client.execute("PING")
        await asyncio.sleep(0)
        _hold_the_loop(0.5)
        assert await reply == b"PONG"
        assert client.snapshot().connections == 1


def _hold_the_loop(seconds: float) -> None:
    """Compute without a pause."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        pass


async def test_a_killed_connection_is_made_again(server: Valkey) -> None:
    """CLIENT KILL: what was in flight is in doubt, what follows finds the next connection."""
    async with (
        RespClient(server.url, backoff=SOON) as client,
        RespClient(server.url) as other,
    ):
        number = await client.execute("CLIENT", "ID")
        for _ in range(3):
            await other.execute("CLIENT", "KILL", "ID", number)
            await until_answered(client)
            number = await client.execute("CLIENT", "ID")
        assert client.snapshot().connections == 4


async def test_a_cut_connection_resubscribes_and_tells_the_gap(server: Valkey, link: Link) -> None:
    """A listener hears later publications again, and knows that it may have missed some."""
    heard: list[bytes] = []
    gaps: list[str] = []
    async with (
        RespClient(server.url) as other,
        RespClient(link.url(server.url), backoff=SOON) as client,
        client.subscribed("news", heard.append, on_gap=lambda: gaps.append("news")),
    ):
        await other.execute("PUBLISH", "news", "1")
        await client.execute("PING")
        link.cut()
        await until_answered(client)
        await until_answered(client)
        await other.execute("PUBLISH", "news", "2")
        await client.execute("PING")
    assert heard == [b"1", b"2"]
    assert gaps == ["news"]


async def test_thousands_of_commands_through_cuts_get_their_own_reply_or_an_error(
    server: Valkey, link: Link
) -> None:
    """A connection that is cut again and again never hands a reply to somebody else."""
    wrong: list[object] = []
    counts = {"answered": 0, "failed": 0}

    async def ask(client: RespClient, worker: int) -> None:
        number = 0
        while number < 100 or counts["failed"] < 100:
            number += 1
            mine = worker * 1_000_000 + number
            try:
                reply = int(await client.execute("ECHO", mine))
            except (InDoubtError, RejectedError):
                counts["failed"] += 1
                await asyncio.sleep(0.005)
            else:
                counts["answered"] += 1
                if reply != mine:
                    wrong.append((mine, reply))

    async def cut() -> None:
        while True:
            await asyncio.sleep(0.02)
            link.flowing.clear()
            await asyncio.sleep(0.005)
            link.cut()
            link.flowing.set()

    async with RespClient(link.url(server.url), limits=QUICK, backoff=SOON) as client:
        cutting = asyncio.create_task(cut())
        await asyncio.gather(*(ask(client, worker) for worker in range(40)))
        cutting.cancel()
    assert not wrong
    assert counts["answered"] > 0


async def test_increments_in_doubt_are_at_most_those_that_count_double(
    server: Valkey, link: Link
) -> None:
    """What the server counted lies between what was acknowledged and what may have been sent."""
    acknowledged = doubted = 0
    async with RespClient(link.url(server.url), limits=QUICK, backoff=SOON) as client:
        for round_ in range(200):
            if round_ % 20 == 10:
                link.cut()
            try:
                await client.execute("INCR", "n")
                acknowledged += 1
            except ReplyLostError:
                doubted += 1
            except RejectedError:
                await asyncio.sleep(0.01)
        await until_answered(client)
        counted = int(await client.execute("GET", "n"))
    assert acknowledged <= counted <= acknowledged + doubted


async def test_a_loading_server_says_so() -> None:
    """Its refusal is one: the command was not run, and may be sent again."""
    settings = {"enable-debug-command": "local", "key-load-delay": 20_000}
    async with (
        valkey(relaxed=True, settings=settings) as server,
        RespClient(server.url, limits=Limits(read_timeout=60)) as client,
        RespClient(server.url) as other,
    ):
        await client.execute("CONFIG", "SET", "loading-process-events-interval-bytes", 1024)
        await client.execute("MSET", *(word for n in range(100) for word in (f"k{n}", "x" * 64)))
        reloading = client.execute("DEBUG", "RELOAD")
        outcomes = []
        while not reloading.done():
            outcomes += await asyncio.gather(other.execute("GET", "k1"), return_exceptions=True)
        assert {type(one) for one in outcomes} <= {LoadingError, bytes}
        assert LoadingError in {type(one) for one in outcomes}
        assert await reloading == b"OK"
        assert await other.execute("GET", "k1") == b"x" * 64


async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> asyncio.Server:
    """Run a server that answers raw bytes."""
    return await asyncio.start_server(answer, LOOPBACK, 0)


GREETING = b"%1\r\n+proto\r\n:3\r\n"


@pytest.mark.parametrize(
    "bytes_",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"$5\r\nhel", b"*3\r\n:1\r\n", b"$-7\r\n", b"\x00" * 64],
    ids=["http", "half-bulk", "half-array", "bad-length", "zeros"],
)
async def test_nonsense_or_half_a_reply_is_in_doubt(bytes_: bytes) -> None:
    """No value is made up: the command's fate is unknown and the connection is dropped."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(GREETING)
        await reader.read(1024)
        writer.write(bytes_)
        await writer.drain()
        if bytes_.startswith(b"$5"):
            writer.close()
        await reader.read(1)
        writer.close()

    server = await raw_server(answer)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with RespClient(Address(port=port), limits=QUICK) as client:
            with pytest.raises(ReplyLostError):
                await client.execute("GET", "a")


async def test_a_server_that_never_greets_times_out() -> None:
    """Opening ends with a TimeoutError that says how long it waited."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await raw_server(silent)
    async with server:
        port = server.sockets[0].getsockname()[1]
        limits = Limits(connect_timeout=0.2)
        with pytest.raises(TimeoutError, match=r"127\.0\.0\.1:\d+ was not ready in 0.2 s"):
            await RespClient(Address(port=port), limits=limits).__aenter__()


async def test_a_server_that_hangs_up_at_once_is_not_stormed() -> None:
    """It accepts, greets and leaves: the tries become rare."""
    greeted = 0

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        await reader.read(1024)
        greeted += 1
        writer.write(GREETING)
        await writer.drain()
        writer.close()

    server = await raw_server(leave)
    async with server:
        port = server.sockets[0].getsockname()[1]
        slowly = Backoff(base=0.1, cap=10.0, factor=4.0, jitter="none")
        async with RespClient(Address(port=port), backoff=slowly):
            await asyncio.sleep(1.0)
    assert greeted <= 4


async def test_cancelling_an_opening_leaves_nothing(server: Valkey) -> None:
    """Wherever it is cancelled: no task, no connection."""
    before = asyncio.all_tasks()
    for turns in range(12):
        opening = asyncio.create_task(RespClient(server.url).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await (await opening).__aexit__()
    assert asyncio.all_tasks() <= before
    async with RespClient(server.url) as client, asyncio.timeout(30):
        while (await client.execute("CLIENT", "LIST")).count(b"\n") > 1:  # noqa: ASYNC110 - theirs
            await asyncio.sleep(0.02)


async def test_tls_carries_commands_and_a_stranger_is_refused(server: Valkey) -> None:
    """A real handshake in front of a real server; an unknown authority ends it."""
    serving, trusting = await asyncio.to_thread(_contexts)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, server.port)

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65_536):
                    to.write(data)
                    await to.drain()
            to.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    listener = await asyncio.start_server(forward, LOOPBACK, 0, ssl=serving)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        url = f"rediss://:{server.password}@{LOOPBACK}:{port}/0"
        async with RespClient(Address.from_url(url, tls=trusting)) as client:
            replies = await asyncio.gather(*(client.execute("ECHO", n) for n in range(1_000)))
            assert [int(reply) for reply in replies] == list(range(1_000))
        with pytest.raises(ssl.SSLCertVerificationError):
            await RespClient(url).__aenter__()


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a certificate of its own, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(private + pem)
        serving.load_cert_chain(path)
    return serving, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
async def test_a_channel_through_redis_py_is_heard_again_and_tells_the_gap(
    server: Valkey, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its connection was cut, and after it was silent although it was asked."""
    monkeypatch.setattr("loadpath.resp.redis_channel.QUIET", 0.2)
    heard: list[bytes] = []
    gaps: list[int] = []
    async with (
        Redis.from_url(link.url(server.url)) as redis,
        RespClient(server.url) as admin,
        RedisCommands(redis).subscribed(
            "news", heard.append, on_gap=lambda: gaps.append(len(gaps))
        ),
    ):
        link.cut()
        await _published(admin, heard, b"after the cut")
        assert gaps
        told = len(gaps)
        link.flowing.clear()
        await asyncio.sleep(0.7)
        link.flowing.set()
        await _published(admin, heard, b"after the silence")
        assert len(gaps) > told


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
@pytest.mark.parametrize("pinned", [False, True], ids=["shared", "pinned"])
async def test_what_undoes_a_cancelled_command_never_comes_before_it(
    server: Valkey, link: Link, *, pinned: bool
) -> None:
    """Although redis-py sends it over another connection, which is faster just then."""
    async with Redis.from_url(link.url(server.url)) as redis:
        commands = RedisCommands(redis)
        await commands.execute("PING")

        async def set_it() -> None:
            if not pinned:
                await commands.execute("SET", "k", "v")
                return
            async with commands.pinned("k") as connection:
                await connection.execute("SET", "k", "v")

        held = link.hold_requests()
        setting = asyncio.create_task(set_it())
        await asyncio.sleep(0.05)
        setting.cancel()
        async with asyncio.timeout(30):  # the cancelled caller does not wait
            await asyncio.wait([setting])
        undoing = asyncio.create_task(commands.execute("DEL", "k"))
        await commands.execute("ECHO", "other keys go on")
        await asyncio.sleep(0.05)
        held.set()
        assert await undoing == 1
        assert await commands.execute("EXISTS", "k") == 0


async def _published(admin: RespClient, heard: list[bytes], payload: bytes) -> None:
    """Publish until it is heard."""
    async with asyncio.timeout(60):
        while payload not in heard:
            await admin.execute("PUBLISH", "news", payload)
            await asyncio.sleep(0.02)
