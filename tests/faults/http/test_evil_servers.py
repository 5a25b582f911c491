"""Servers that refuse, hang, break off, talk nonsense or never stop; the caller learns which."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from loadpath.core.errors import InDoubtError, LoadpathError, RejectedError
from loadpath.http import (
    BodyLostError,
    BodyTimeoutError,
    BodyTooLargeError,
    ConnectError,
    ConnectionPool,
    ConnectTimeoutError,
    Limits,
    Origin,
    PoolClosedError,
    PoolFullError,
    PoolLimits,
    PoolTimeoutError,
    Request,
    ResponseInvalidError,
    ResponseLostError,
    ResponseTimeoutError,
    Timeouts,
)
from loadpath.local.ports import free_ports
from tests.faults.http.servers import Script, eventually, saying, serving

GET = Request(b"GET", b"/")
POST = Request(b"POST", b"/", body=b"once")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
QUICK = Timeouts(read=0.1, write=0.1)
"""For what never comes."""
FAIR = Timeouts(read=0.6)
"""For what comes at first and then no more: a busy machine may take a moment."""


def others() -> set[asyncio.Task[object]]:
    """Return all tasks but the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    """A pool that holds nothing at the end of the test."""
    tasks = others()
    async with ConnectionPool(timeouts=Timeouts(total=30.0)) as pool:
        yield pool
        shot = pool.snapshot()
        assert shot.connections == shot.idle
        assert shot.waiting == 0
    assert pool.snapshot().connections == 0
    assert others() <= tasks


async def test_refused(pool: ConnectionPool) -> None:
    """Nobody listens: nothing was sent, and the place is free again."""
    (port,) = free_ports(1)
    with pytest.raises(ConnectError, match=f"127.0.0.1:{port}") as caught:
        await pool.request(Origin("127.0.0.1", port), GET)
    assert isinstance(caught.value, (RejectedError, ConnectionError))
    assert pool.snapshot().origins == 0


async def test_no_such_host(pool: ConnectionPool) -> None:
    """A name that does not exist was not asked either."""
    with pytest.raises(ConnectError):
        await pool.request(Origin("does-not-exist.invalid", 80), GET)


async def test_never_accepted(pool: ConnectionPool) -> None:
    """A full backlog lets a client wait: it gives up and nothing was sent."""
    with socket.socket() as deaf, contextlib.ExitStack() as fillers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        with pytest.raises(ConnectTimeoutError) as caught:
            await pool.request(Origin(*address), GET, timeouts=Timeouts(connect=0.1))
    assert isinstance(caught.value, (RejectedError, TimeoutError))


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_hangs(pool: ConnectionPool, request_: Request) -> None:
    """It takes the request and says nothing: in doubt."""
    async with serving(saying(b"", then="hang")) as origin:
        with pytest.raises(ResponseTimeoutError) as caught:
            await pool.request(origin, request_, timeouts=QUICK)
    assert isinstance(caught.value, (InDoubtError, TimeoutError))


async def test_says_nothing_and_closes(pool: ConnectionPool) -> None:
    """On a new connection a close without an answer is in doubt, and not tried again."""
    async with serving(saying(b"")) as origin:
        with pytest.raises(ResponseLostError):
            await pool.request(origin, GET)
    assert pool.snapshot().retries == 0


@pytest.mark.parametrize("half", [b"HTTP/1.1 20", OK[:20], b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_half_a_head(pool: ConnectionPool, half: bytes) -> None:
    """A head that breaks off is no answer."""
    async with serving(saying(half)) as origin:
        with pytest.raises(ResponseLostError):
            await pool.request(origin, GET)


@pytest.mark.parametrize(
    "half",
    [OK[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"],
    ids=["length", "chunked"],
)
async def test_half_a_body(pool: ConnectionPool, half: bytes) -> None:
    """A body that breaks off is told after what came of it; the outcome is known."""
    async with serving(saying(half)) as origin:
        response = await pool.request(origin, GET)
        with pytest.raises(BodyLostError) as caught:
            await response.read()
        with pytest.raises(BodyLostError):
            await response.read()
    assert not isinstance(caught.value, (RejectedError, InDoubtError))


async def test_half_a_body_then_nothing(pool: ConnectionPool) -> None:
    """A body that stops coming is given up in time."""
    async with serving(saying(OK[:-1], then="hang")) as origin:
        response = await pool.request(origin, GET, timeouts=FAIR)
        assert await response.read_some() == b"h"
        with pytest.raises(BodyTimeoutError):
            await response.read_some()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\1\2garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n" * 3 + b"\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    ],
)
async def test_garbage(pool: ConnectionPool, garbage: bytes) -> None:
    """What is no response of HTTP/1.1 is told as such; whether it acted is in doubt."""
    async with serving(saying(garbage, then="hang")) as origin:
        with pytest.raises(ResponseInvalidError) as caught:
            await pool.request(origin, GET)
    assert isinstance(caught.value, (InDoubtError, ValueError))


async def test_garbage_in_a_body(pool: ConnectionPool) -> None:
    """Chunks that break their grammar end the body, after what was good of it."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nno size\r\n"
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, GET)
        assert await response.read_some() == b"hi"
        with pytest.raises(BodyLostError, match="hexadecimal"):
            await response.read_some()


async def test_slow_drip(pool: ConnectionPool) -> None:
    """Each byte comes in time, all of them do not: the total bounds it."""
    async with serving(saying(OK, per_byte=0.05)) as origin:
        timeouts = Timeouts(read=5.0, total=0.6)
        with pytest.raises(ResponseTimeoutError):
            await pool.request(origin, GET, timeouts=timeouts)


async def test_slow_drip_of_a_body(pool: ConnectionPool) -> None:
    """The total bounds the body as well, while it is being read."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(drip) as origin:
        response = await pool.request(origin, GET, timeouts=Timeouts(read=5.0, total=0.6))
        with pytest.raises(BodyTimeoutError):
            await response.read()


async def test_interim_flood(pool: ConnectionPool) -> None:
    """1xx without end are no answer."""
    async with serving(saying(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000, then="hang")) as origin:
        with pytest.raises(ResponseInvalidError, match="interim"):
            await pool.request(origin, GET)


async def test_interim_responses_are_passed_over(pool: ConnectionPool) -> None:
    """A few 1xx before the answer are what they are."""
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + OK
    async with serving(saying(answer, then="again")) as origin:
        request = Request(b"POST", b"/", [(b"Expect", b"100-continue")], b"once")
        response = await pool.request(origin, request)
        assert (response.status, await response.read()) == (200, b"hi")


@pytest.mark.parametrize(
    ("flood", "what"),
    [(b"X: y\r\n" * 101, "more than 100"), (b"X: " + b"y" * 40_000, "larger than")],
)
async def test_header_flood(pool: ConnectionPool, flood: bytes, what: str) -> None:
    """Headers without end are cut off."""
    answer = b"HTTP/1.1 200 OK\r\n" + flood + b"\r\n\r\n"
    async with serving(saying(answer, then="hang")) as origin:
        with pytest.raises(ResponseInvalidError, match=what):
            await pool.request(origin, GET)


async def test_bounds_are_the_callers() -> None:
    """A pool may allow less."""
    async with (
        serving(saying(OK)) as origin,
        ConnectionPool(message_limits=Limits(fields=1, head=30)) as pool,
    ):
        with pytest.raises(ResponseInvalidError, match="30 bytes"):
            await pool.request(origin, GET)


async def test_bytes_behind_a_response(pool: ConnectionPool) -> None:
    """More than was asked for: this answer is good, the connection is not used again."""
    async with serving(saying(OK + OK, then="again")) as origin:
        for _ in range(2):
            response = await pool.request(origin, GET)
            assert await response.read() == b"hi"
    assert pool.snapshot().reuses == 0
    assert pool.snapshot().connects == 2


async def test_bytes_on_an_idle_connection(pool: ConnectionPool) -> None:
    """What comes while nothing is asked is not the next answer."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await reader.read()

    async with serving(late) as origin:
        assert await (await pool.request(origin, GET)).read() == b"hi"
        await eventually(lambda: pool.snapshot().connections == 0)
        assert await (await pool.request(origin, GET)).read() == b"hi"


def resetting(after: int) -> Script:
    """Return a script that answers some requests, then resets the connection at the next one."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(after):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


async def test_reset_on_a_new_connection(pool: ConnectionPool) -> None:
    """A reset without an answer is in doubt."""
    async with serving(resetting(0)) as origin:
        with pytest.raises(ResponseLostError):
            await pool.request(origin, GET)
    assert pool.snapshot().retries == 0


async def test_reset_on_a_kept_connection_is_tried_again(pool: ConnectionPool) -> None:
    """A kept connection that ends before any answer: an idempotent request goes out once more."""
    async with serving(resetting(1)) as origin:
        for _ in range(4):
            assert await (await pool.request(origin, GET)).read() == b"hi"
    shot = pool.snapshot()
    assert (shot.retries, shot.connects) == (3, 4)


async def body() -> AsyncIterator[bytes]:
    """Give a body that can be given once."""
    yield b"once"


@pytest.mark.parametrize(
    "request_",
    [POST, Request(b"PATCH", b"/", body=b"x"), Request(b"PUT", b"/", body=body())],
    ids=["POST", "PATCH", "a body in pieces"],
)
async def test_what_could_happen_twice_is_not_tried_again(
    pool: ConnectionPool, request_: Request
) -> None:
    """A request that is not idempotent, or whose body is gone, is in doubt instead."""
    async with serving(resetting(1)) as origin:
        assert await (await pool.request(origin, GET)).read() == b"hi"
        with pytest.raises(ResponseLostError):
            await pool.request(origin, request_)
    assert pool.snapshot().retries == 0


async def test_an_answer_that_began_is_not_asked_for_again(pool: ConnectionPool) -> None:
    """One byte of an answer, and the request may have been carried out."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"H")
        await writer.drain()

    async with serving(script) as origin:
        assert await (await pool.request(origin, GET)).read() == b"hi"
        with pytest.raises(ResponseLostError):
            await pool.request(origin, GET)
    assert pool.snapshot().retries == 0


async def test_closed_while_idle(pool: ConnectionPool) -> None:
    """A connection that the server closed meanwhile is not even tried."""
    async with serving(saying(OK)) as origin:
        for _ in range(3):
            assert await (await pool.request(origin, POST)).read() == b"hi"
            await eventually(lambda: pool.snapshot().connections == 0)
    assert pool.snapshot().retries == 0


async def test_an_early_answer_ends_the_sending(pool: ConnectionPool) -> None:
    """A server that refuses before it has the body is heard; the connection is not kept."""
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            stopped.set()

    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, Request(b"PUT", b"/", body=endless()))
        assert (response.status, await response.read()) == (413, b"no")
        await asyncio.wait_for(stopped.wait(), 5)
        assert pool.snapshot().connections == 0


async def test_an_early_answer_to_a_large_body(pool: ConnectionPool) -> None:
    """The same for a body that is there whole."""
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, Request(b"PUT", b"/", body=bytes(50_000_000)))
        assert (response.status, await response.read()) == (413, b"no")
        assert pool.snapshot().connections == 0


async def test_nothing_is_taken_of_a_body(pool: ConnectionPool) -> None:
    """A server that does not read lets the sender wait no longer than it may."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        await asyncio.sleep(60)
        del reader

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async with serving(deaf) as origin:
        for sent in (bytes(50_000_000), endless()):
            with pytest.raises(ResponseTimeoutError):
                await pool.request(origin, Request(b"PUT", b"/", body=sent), timeouts=QUICK)


async def test_the_bodys_own_error_is_the_callers(pool: ConnectionPool) -> None:
    """What the source of a body raises comes out as it is, and half a request is not kept."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError("no more")

    async with serving(saying(b"", then="hang")) as origin:
        with pytest.raises(LookupError, match="no more"):
            await pool.request(origin, Request(b"PUT", b"/", body=failing()))
        assert pool.snapshot().connections == 0


@pytest.mark.parametrize("announced", [3, 5])
async def test_a_body_keeps_its_length(pool: ConnectionPool, announced: int) -> None:
    """More or less than was announced would be another request: it is given up."""
    fields = [(b"Content-Length", b"%d" % announced)]
    async with serving(saying(b"", then="hang")) as origin:
        with pytest.raises(ValueError, match="Content-Length"):
            await pool.request(origin, Request(b"PUT", b"/", fields, body()))
        assert pool.snapshot().connections == 0


async def test_the_line_is_bounded() -> None:
    """Who comes when too many wait is refused; who waits too long leaves; who waited is served."""
    async with serving(saying(OK, per_byte=0.002, then="again")) as origin:
        limits = PoolLimits(connections=1, waiting=2)
        async with ConnectionPool(limits=limits) as pool:
            first = asyncio.create_task(pool.request(origin, GET))
            second = asyncio.create_task(pool.request(origin, GET))
            third = asyncio.create_task(pool.request(origin, GET, timeouts=Timeouts(pool=0.01)))
            await asyncio.sleep(0)
            with pytest.raises(PoolFullError) as caught:
                await pool.request(origin, GET)
            assert isinstance(caught.value, RejectedError)
            with pytest.raises(PoolTimeoutError) as late:
                await third
            assert isinstance(late.value, (RejectedError, TimeoutError))
            for task in (first, second):
                assert await (await task).read() == b"hi"
            assert pool.snapshot().refused == 1
            assert pool.snapshot().connects == 1


async def test_whoever_waits_gets_the_place_of_a_lost_connection() -> None:
    """A connection that breaks makes room: nobody waits for it for ever."""
    limits = PoolLimits(connections=1)
    async with serving(saying(OK[:-1])) as origin, ConnectionPool(limits=limits) as pool:

        async def one() -> None:
            response = await pool.request(origin, GET)
            with pytest.raises(BodyLostError):
                await response.read()

        await asyncio.gather(*(one() for _ in range(5)))
        assert pool.snapshot().connects == 5


async def test_whoever_waits_gets_the_place_of_a_refused_connection() -> None:
    """Attempts that fail pass their place on; all learn that nobody is there."""
    (port,) = free_ports(1)
    async with ConnectionPool(limits=PoolLimits(connections=1)) as pool:
        asked = [pool.request(Origin("127.0.0.1", port), GET) for _ in range(5)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, ConnectError) for each in ended)
        assert pool.snapshot().origins == 0


async def test_a_closed_pool_lets_go_of_everything() -> None:
    """Who is being served is in doubt, who waits is refused, and so is who comes later."""
    async with serving(saying(b"", then="hang")) as origin:
        pool = ConnectionPool(limits=PoolLimits(connections=1))
        served = asyncio.create_task(pool.request(origin, GET))
        waiting = asyncio.create_task(pool.request(origin, GET))
        await eventually(lambda: pool.snapshot().connects == 1)
        await asyncio.sleep(0.01)
        await pool.aclose()
        ended = await asyncio.gather(served, waiting, return_exceptions=True)
        assert isinstance(ended[0], ResponseLostError)
        assert isinstance(ended[1], PoolClosedError)
        with pytest.raises(PoolClosedError):
            await pool.request(origin, GET)
        assert pool.snapshot().connections == 0


async def test_a_pool_closed_while_it_connects(pool: ConnectionPool) -> None:
    """A connection that is made after the end is closed at once."""
    async with serving(saying(OK)) as origin:
        task = asyncio.create_task(pool.request(origin, GET))
        await asyncio.sleep(0)
        await pool.aclose()
        with pytest.raises(LoadpathError):
            await task


async def test_an_evicted_origin_is_let_go() -> None:
    """Its idle connections end now, the others after their answer; a new request begins anew."""
    async with (
        serving(saying(OK, per_byte=0.001, then="again")) as origin,
        ConnectionPool() as pool,
    ):
        await (await pool.request(origin, GET)).read()
        pool.evict(origin)
        assert pool.snapshot().connections == 0
        task = asyncio.create_task(pool.request(origin, GET))
        await eventually(lambda: pool.snapshot().connects == 2)
        pool.evict(origin)
        assert await (await task).read() == b"hi"
        assert pool.snapshot().connections == 0


async def test_idle_connections_end() -> None:
    """What nobody uses is closed after a while, and no more than so many are kept."""
    limits = PoolLimits(idle=2, idle_timeout=0.5)
    async with serving(saying(OK, then="again")) as origin, ConnectionPool(limits=limits) as pool:
        responses = await asyncio.gather(*(pool.request(origin, GET) for _ in range(5)))
        assert [await each.read() for each in responses] == [b"hi"] * 5
        assert pool.snapshot().idle == 2
        await eventually(lambda: pool.snapshot().idle == 0)
        assert pool.snapshot().origins == 0


async def test_a_forgotten_response_gives_its_connection_up(pool: ConnectionPool) -> None:
    """Who drops a response unread is warned, and the place is free."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, GET)
        await asyncio.sleep(0)
        with pytest.warns(ResourceWarning, match="neither read nor closed"):
            del response
        assert pool.snapshot().connections == 0


async def test_a_body_that_is_too_large(pool: ConnectionPool) -> None:
    """`read` holds no more than it may."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000)
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, GET)
        with pytest.raises(BodyTooLargeError, match="100000"):
            await response.read(most=100_000)
        assert pool.snapshot().connections == 0


async def test_a_slow_reader_lets_the_server_wait(pool: ConnectionPool) -> None:
    """What is held of a body that nobody reads is bounded; the rest stays with the server."""
    size, taken = 20_000_000, 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while taken < size:
            writer.write(bytes(100_000))
            await writer.drain()
            taken += 100_000
        await reader.read()

    async with serving(script) as origin:
        response = await pool.request(origin, GET)
        before = -1
        while taken != before:
            before = taken
            await asyncio.sleep(0.05)
        assert taken < size
        read = 0
        async for piece in response:
            read += len(piece)
        assert read == size


async def test_a_paused_response_outlives_its_read_timeout(pool: ConnectionPool) -> None:
    """Only waiting counts: a reader who takes a break is not timed out."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000)
    async with serving(saying(answer, then="hang")) as origin:
        response = await pool.request(origin, GET, timeouts=FAIR)
        await asyncio.sleep(0.8)
        assert len(await response.read()) == 1_000_000


async def test_a_reader_may_take_a_break(pool: ConnectionPool) -> None:
    """A piece came, the next one is not awaited yet: no time runs."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:-2])
        await asyncio.sleep(0.02)
        writer.write(b"h")
        await asyncio.sleep(0.7)
        writer.write(b"i")
        await reader.read()

    async with serving(script) as origin:
        response = await pool.request(origin, GET, timeouts=FAIR)
        assert await response.read_some() == b"h"
        await asyncio.sleep(0.9)
        assert await response.read_some() == b"i"


@pytest.mark.parametrize("whole", [True, False])
async def test_both_ways_at_once(pool: ConnectionPool, whole: bool) -> None:  # noqa: FBT001 (a table's column)
    """A server that answers while it reads, and reads on only when its answer is taken."""
    size = 5_000_000

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        left = size
        while left:
            piece = await reader.read(100_000)
            left -= len(piece)
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(100_000)

    sent = bytes(size) if whole else pieces()
    fields = [(b"Content-Length", b"%d" % size)]
    async with serving(echo) as origin:
        response = await pool.request(origin, Request(b"PUT", b"/", fields, sent))
        assert await response.read() == bytes(size)


async def test_a_second_attempt_that_is_refused_leaves_the_first_in_doubt(
    pool: ConnectionPool,
) -> None:
    """The request went out once: that nobody is there any more does not take it back."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        gone.set()
        await closed.wait()

    gone, closed = asyncio.Event(), asyncio.Event()
    async with serving(script) as origin:
        assert await (await pool.request(origin, GET)).read() == b"hi"
        task = asyncio.create_task(pool.request(origin, GET))
        await gone.wait()
    closed.set()
    with pytest.raises(ResponseLostError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ConnectError)


async def test_a_closed_pool_waits_for_what_it_stopped() -> None:
    """The source of a body may clean up; nothing of it goes on after the end of the pool."""
    cleaned = False
    begun = asyncio.Event()

    async def careful() -> AsyncIterator[bytes]:
        nonlocal cleaned
        try:
            while True:
                begun.set()
                yield b"x"
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0.02)
            cleaned = True

    async with serving(saying(b"", then="hang")) as origin:
        async with ConnectionPool() as pool:
            task = asyncio.create_task(pool.request(origin, Request(b"PUT", b"/", body=careful())))
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert pool.snapshot().connections == 0
        assert cleaned


async def test_a_switch_that_nobody_asked_for(pool: ConnectionPool) -> None:
    """A 101 to a plain request is no answer."""
    async with serving(saying(b"HTTP/1.1 101 Switching\r\n\r\n", then="hang")) as origin:
        with pytest.raises(ResponseInvalidError, match="101"):
            await pool.request(origin, GET)


class Collecting(asyncio.Protocol):
    """Another protocol: collects what comes."""

    def __init__(self) -> None:
        self.came = b""
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self.came += data

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self.lost.set()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (
            Request(b"GET", b"/", [(b"Upgrade", b"echo"), (b"Connection", b"Upgrade")]),
            b"HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n",
        ),
        (Request(b"CONNECT", b"a:443"), b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["upgrade", "CONNECT"],
)
async def test_a_switch_hands_the_connection_over(
    pool: ConnectionPool, request_: Request, answer: bytes
) -> None:
    """What came behind the head and what comes later is the new protocol's; the place is free."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer + b"one ")
        await asyncio.sleep(0.02)
        writer.write(b"two ")
        writer.write(await reader.readexactly(5))
        await writer.drain()

    async with serving(script) as origin:
        response = await pool.request(origin, request_)
        await asyncio.sleep(0.04)
        transport, rest = response.detach()
        assert pool.snapshot().connections == 0
        other = Collecting()
        transport.set_protocol(other)
        transport.resume_reading()
        transport.write(b"three")
        await asyncio.wait_for(other.lost.wait(), 5)
        assert rest + other.came == b"one two three"
        with pytest.raises(RuntimeError, match="not switched"):
            response.detach()


async def test_a_switch_that_is_not_taken_is_closed(pool: ConnectionPool) -> None:
    """Who asks for another protocol and leaves, leaves no connection."""
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n", then="hang")) as origin:
        async with await pool.request(origin, Request(b"CONNECT", b"a:443")) as response:
            assert await response.read() == b""
            assert pool.snapshot().connections == 1
        assert pool.snapshot().connections == 0
