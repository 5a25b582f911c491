"""Clients that disconnect, drip, flood or do not read: each gets its answer, and nothing stays."""

import asyncio
import resource
import tracemalloc

import pytest

from loadpath.gateway.gateway import Gateway
from tests.faults.gateway.stage import (
    Backend,
    ask,
    between,
    get,
    port_of,
    read_all,
    split,
    talk,
    until,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
SHORT = {"head": 0.3, "body": 0.3, "idle": 0.3, "write": 0.3}


async def connect(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a gateway."""
    return await asyncio.open_connection("127.0.0.1", port_of(gateway))


async def until_free(gateway: Gateway, backend: Backend) -> None:
    """Wait until the gateway holds nothing for any client."""
    await until(lambda: not len(gateway.connections) and not backend.open)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", POST + b"Content-Length: 10\r\n\r\nabc",
     POST + b"Content-Length: 900000\r\n\r\nabc", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ids=["at once", "in the head", "in a small body", "in a streamed body", "while it waits"],
)  # fmt: skip
@pytest.mark.parametrize("hard", [False, True], ids=["closing", "resetting"])
async def test_a_client_that_goes_leaves_nothing(sent: bytes, *, hard: bool) -> None:
    """At every stage: its request is given up, and the endpoint's connection is closed."""

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with between(hang) as (gateway, backend):
        _, writer = await connect(gateway)
        writer.write(sent)
        await asyncio.sleep(0.05)
        if hard:
            writer.transport.abort()
        else:
            writer.close()
        await until_free(gateway, backend)
        figures = gateway.generations.figures["all"]
        assert figures.under_way == 0
        assert set(figures.statuses) <= {499}


async def test_a_client_that_goes_in_the_middle_of_an_answer() -> None:
    """The upstream is not read to its end for nobody."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with between(flood) as (gateway, backend):
        reader, writer = await connect(gateway)
        writer.write(get())
        await reader.readexactly(100_000)
        writer.transport.abort()
        await until_free(gateway, backend)


async def test_one_byte_at_a_time_is_408() -> None:
    """A head must be whole in time, however busily its bytes come."""
    async with between(timeouts=SHORT) as (gateway, backend):
        reader, writer = await connect(gateway)
        came = asyncio.create_task(read_all(reader))
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 30:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
            if came.done():
                break
        assert split(await came)[0] == 408
        writer.close()
        assert backend.heads == []


async def test_a_body_that_stops_is_408() -> None:
    """The upstream is not kept waiting either."""
    async with between(timeouts=SHORT) as (gateway, _):
        for length in (10, 900_000):
            request = POST + b"Content-Length: %d\r\n\r\nabc" % length
            assert (await ask(gateway, request))[0] == 408


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    """There is nothing to answer."""
    async with between(timeouts=SHORT) as (gateway, _):
        reader, writer = await connect(gateway)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        came = await read_all(reader)
        assert came.count(b"HTTP/1.1") == 1
        assert await talk(gateway, b"") == b""
        writer.close()


async def test_a_client_that_does_not_read_is_cut() -> None:
    """It may not hold an upstream for ever."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with between(flood, timeouts=SHORT) as (gateway, backend):
        _, writer = await connect(gateway)
        writer.transport.pause_reading()
        writer.write(get())
        await asyncio.sleep(0.1)
        await until_free(gateway, backend)
        writer.transport.abort()


async def test_ten_megabytes_of_fields_are_431() -> None:
    """They are not held, and the client gets to read why although it sends on."""
    async with between() as (gateway, backend):
        reader, writer = await connect(gateway)
        came = asyncio.create_task(read_all(reader))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        try:
            for number in range(10_000):
                writer.write(b"X-%d: %b\r\n" % (number, b"y" * 1_000))
                await writer.drain()
        except ConnectionError:
            pass
        status, head, _ = split(await came)
        assert status == 431
        assert b"Connection: close" in head
        writer.close()
        assert backend.heads == []


async def test_a_large_body_is_413_and_not_held() -> None:
    """By its length before it is read, in chunks as soon as it is too large."""
    async with between(limits={"body": 100_000}) as (gateway, _):
        assert (await ask(gateway, POST + b"Content-Length: 100001\r\n\r\n", patience=1))[0] == 413
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        request = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 20
        assert (await ask(gateway, request, patience=1))[0] == 413
        whole = POST + b"Connection: close\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
        status, _, body = await ask(gateway, whole)
        assert (status, len(body)) == (200, 100_000)


async def test_a_route_has_its_own_bound() -> None:
    """It may be larger or smaller than the listeners'."""
    async with between(limits={"body": 10}, route={"max_body": 20}) as (gateway, _):
        request = POST + b"Connection: close\r\nContent-Length: 20\r\n\r\n" + b"x" * 20
        assert (await ask(gateway, request))[0] == 200
        assert (await ask(gateway, POST + b"Content-Length: 21\r\n\r\n", patience=1))[0] == 413


async def test_a_slow_upstream_makes_the_client_wait() -> None:
    """An upload is not held in memory when the endpoint does not take it."""
    taken = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await taken.wait()
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        await backend.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read(1)

    backend = Backend(slow)
    size = 60_000_000
    async with between(backend, limits={"body": size}) as (gateway, _):
        reader, writer = await connect(gateway)
        writer.write(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
        sent = 0

        async def upload() -> None:
            nonlocal sent
            while sent < size:
                writer.write(b"x" * 100_000)
                sent += 100_000
                await writer.drain()

        task = asyncio.create_task(upload())
        await asyncio.sleep(0.5)
        before = sent
        await asyncio.sleep(0.2)
        assert sent == before < 30_000_000
        taken.set()
        await task
        assert split(await reader.read(-1))[0] == 200
        assert len(backend.bodies[0]) == size
        writer.close()


async def test_pipelining_without_end_is_bounded() -> None:
    """A client that sends requests and reads no answers is made to wait."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000 + b"\r\n\r\n"
    async with between(timeouts={"write": 0.5}) as (gateway, backend):
        _, writer = await connect(gateway)
        writer.transport.pause_reading()
        sent = 0
        try:
            async with asyncio.timeout(1.0):
                while sent < 100_000:
                    writer.write(request)
                    sent += 1
                    await writer.drain()
        except (TimeoutError, ConnectionError):
            pass
        assert len(backend.heads) < 100_000
        writer.transport.abort()
        await until_free_of_clients(gateway)


async def test_requests_that_wait_are_bounded_while_others_are_answered() -> None:
    """A client that reads its answers cannot make the gateway hold what comes faster."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    async with between() as (gateway, backend):
        reader, writer = await connect(gateway)
        reading = asyncio.create_task(reader.read(-1))
        most = 0
        for _ in range(400):
            writer.write(request * 2_000)
            await asyncio.sleep(0.005)
            (connection,) = gateway.connections._open
            most = max(most, connection._parser.held)
        assert len(backend.heads) > 10
        assert most < 2**20
        writer.transport.abort()
        await reading
        await until_free_of_clients(gateway)


async def test_a_large_head_behind_many_requests_is_read() -> None:
    """What waits does not keep the rest of a head or of a body from being read."""
    small = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100
    large = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"z" * 300_000
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with between(limits={"head": 400_000}) as (gateway, backend):
        reader, writer = await connect(gateway)
        writer.write(small + large + small + body + small + last)
        await reader.read(-1)
        writer.close()
        assert len(backend.heads) == 303
        assert backend.bodies[-102] == b"z" * 300_000


async def until_free_of_clients(gateway: Gateway) -> None:
    """Wait until no client is connected."""
    await until(lambda: not len(gateway.connections))


async def test_too_many_connections_are_refused() -> None:
    """The rest go on; a place that is given back can be taken."""
    async with between(limits={"connections": 2}) as (gateway, _):
        held = [await connect(gateway) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert split(await talk(gateway, b""))[0] == 503
        assert gateway.connections.refused == 1
        held[0][1].close()
        await asyncio.sleep(0.05)
        assert (await ask(gateway, get()))[0] == 200
        held[1][1].close()


async def idle_connections(count: int) -> float:
    """Hold so many idle connections, each after one request; returns bytes of memory for each."""
    async with between(limits={"connections": count + 10}) as (gateway, _):
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            writers = []
            for _ in range(count):
                reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
                writers.append(writer)
            used = (tracemalloc.get_traced_memory()[0] - before) / count
        finally:
            tracemalloc.stop()
        assert len(gateway.connections) == count
        assert (await ask(gateway, get()))[0] == 200
        for writer in writers:
            writer.close()
        await until_free_of_clients(gateway)
    return used


async def test_idle_connections_cost_little() -> None:
    """300 of them, both ends in this process."""
    used = await idle_connections(300)
    print(f"an idle connection: {used:,.0f} bytes, its client's end included")  # noqa: T201 - to be read
    assert used < 40_000


@pytest.mark.soak
async def test_2000_idle_connections_cost_little() -> None:
    """As the issue asks; needs 4,000 open files and more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6_000:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6_000), hard))
    used = await idle_connections(2_000)
    print(f"an idle connection: {used:,.0f} bytes, its client's end included")  # noqa: T201 - to be read
    assert used < 40_000
