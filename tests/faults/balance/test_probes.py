"""Servers that refuse, hang, drip, lie or flood: each check fails, says why, and leaves nothing."""

import asyncio
import socket

import pytest

from loadpath.balance import (
    Endpoint,
    HttpProbe,
    PostgresProbe,
    Probe,
    ProbeFailedError,
    RedisProbe,
    TcpProbe,
)
from tests.faults.balance.servers import (
    Handler,
    dripping,
    flooding,
    saying,
    serving,
    then_silent,
    until,
)

OK = b"HTTP/1.1 200 OK\r\n"
PROBES: list[Probe] = [HttpProbe(), RedisProbe(), PostgresProbe()]
every_probe = pytest.mark.parametrize("probe", PROBES, ids=lambda each: type(each).__name__)


async def checked(handler: Handler, probe: Probe, *, within: float = 30.0) -> str:
    """Return why a check of such a server fails, nothing when it passes; nothing is left."""
    before = asyncio.all_tasks()
    async with serving(handler) as server:
        try:
            async with asyncio.timeout(within):
                await probe.check(server.endpoint)
        except (OSError, ProbeFailedError) as error:
            reason = str(error) or type(error).__name__
        else:
            reason = ""
        await until(lambda: not server.connections)
    assert asyncio.all_tasks() <= before
    return reason


@pytest.mark.parametrize("probe", [*PROBES, TcpProbe()], ids=lambda each: type(each).__name__)
async def test_nobody_listens(probe: Probe) -> None:
    """A refused connection is an OSError."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listened on
        endpoint = Endpoint(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(OSError, match=r"refused|failed"):
            await probe.check(endpoint)


@every_probe
async def test_it_accepts_and_says_nothing(probe: Probe) -> None:
    """Whoever asks sets the limit; the connection is closed."""
    assert await checked(then_silent(b""), probe, within=0.05) == "TimeoutError"


@every_probe
async def test_it_closes_at_once(probe: Probe) -> None:
    """An answer that is none."""
    assert await checked(saying(b""), probe)


@every_probe
@pytest.mark.parametrize("garbage", [b"\0\xff" * 40, b"220 mail ESMTP\r\n\r\n", b"\r\n\r\n"])
async def test_it_says_garbage(probe: Probe, garbage: bytes) -> None:
    """Something else than was asked for."""
    assert await checked(saying(garbage), probe)


@every_probe
async def test_it_floods(probe: Probe) -> None:
    """An endless line, or endless nonsense, is not read to its end."""
    assert await checked(flooding(b"R" * 65_536), probe)


@every_probe
async def test_it_drips(probe: Probe) -> None:
    """A byte now and then does not hold a check beyond its limit."""
    assert await checked(dripping(b"H"), probe, within=0.1) in ("TimeoutError", "") or (
        isinstance(probe, PostgresProbe)  # an H is enough to know that it is no PostgreSQL
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OK + b"\r\n", ""),
        (b"HTTP/1.0 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200\r\n\r\n", ""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + OK + b"\r\n", "interim"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "status 101"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"),
        (b"HTTP/1.1 200 OK\r\nX", "closed the connection"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 999 OK\r\n\r\n", "does not speak HTTP"),
        (OK + b"no colon\r\n\r\n", "wrong header"),
        (OK + b"Name : value\r\n\r\n", "wrong header"),
        (OK + b"X: " + b"y" * 20_000 + b"\r\n\r\n", "too long"),
    ],
)
async def test_http_answers(answer: bytes, reason: str) -> None:
    """Only a whole, well-formed head with a good status passes."""
    told = await checked(saying(answer), HttpProbe())
    assert reason in told
    assert bool(told) == bool(reason)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\r\nwell", ""),
        (b"Content-Length: 4\r\n\r\nwell and more", ""),
        (b"Content-Length: 4\r\n\r\nill!", "without 'well'"),
        (b"Content-Length: 9\r\n\r\nwell", "closed the connection"),
        (b"Content-Length: -1\r\n\r\nwell", "wrong Content-Length"),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2;x=y\r\nll\r\n0\r\n\r\n", ""),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nwell", "closed the connection"),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nwellness\r\n0\r\n\r\n", "longer than it said"),
        (b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "wrong chunk"),
        (b"Content-Length: 99999999\r\n\r\nwell" + b" " * 65_536, ""),
        (b"\r\n" + b" " * 65_536 + b"well", "without 'well'"),
        (b"Transfer-Encoding: chunked\r\n\r\n1000A\r\n" + b" " * 65_536, "without 'well'"),
    ],
)
async def test_http_bodies(answer: bytes, reason: str) -> None:
    """The first 64 KiB are looked at, however the body is framed."""
    told = await checked(saying(OK + answer), HttpProbe(contains=b"well"))
    assert reason in told
    assert bool(told) == bool(reason)


async def test_the_body_does_not_matter_unless_it_is_asked_for() -> None:
    """A head is enough: what follows may hang."""
    assert await checked(then_silent(OK + b"Content-Length: 9\r\n\r\n"), HttpProbe()) == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"+PONG\r\n", ""),
        (b"-LOADING Valkey is loading the dataset in memory\r\n", "LOADING"),
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
        (b"$4\r\nPONG\r\n", "instead of PONG"),
        (b"+PONG", "instead of PONG"),
        (b"+" + b"P" * 20_000, "too long"),
    ],
)
async def test_redis_answers(answer: bytes, reason: str) -> None:
    """Only +PONG passes."""
    told = await checked(saying(answer), RedisProbe())
    assert reason in told
    assert bool(told) == bool(reason)


def refusal(code: bytes, message: bytes = b"no") -> bytes:
    """Return an ErrorResponse of PostgreSQL."""
    body = b"SFATAL\0VFATAL\0C" + code + b"\0M" + message + b"\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"R\0\0\0\x08\0\0\0\0", ""),
        (b"R\0\0\0\x0c\0\0\0\x05abcd", ""),
        (refusal(b"28000"), ""),
        (refusal(b"53300", b"sorry, too many clients already"), ""),
        (refusal(b"57P03", b"the database system is starting up"), "starting up"),
        (refusal(b"57P03", b"the database system is shutting down"), "57P03"),
        (b"E\0\0\0\x0cSFATAL\0\0", "without a code"),
        (b"E\xff\xff\xff\xff", "does not speak PostgreSQL"),
        (b"R\0\0\0\x03", "does not speak PostgreSQL"),
        (refusal(b"28000")[:20], "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak PostgreSQL"),
        (b"N", "closed the connection"),
    ],
)
async def test_postgres_answers(answer: bytes, reason: str) -> None:
    """Up is who asks for a password or refuses, except while it starts or stops."""
    told = await checked(saying(answer), PostgresProbe())
    assert reason in told
    assert bool(told) == bool(reason)


async def test_a_check_cancelled_at_any_moment_leaves_nothing() -> None:
    """However far it came, connection and task are gone."""
    async with serving(then_silent(OK)) as server:
        for turns in range(12):
            task = asyncio.create_task(HttpProbe().check(server.endpoint))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        await until(lambda: not server.connections)
