"""The client on the other loop that people use, and on IPv6."""

import asyncio
import socket

import pytest
import uvloop

from loadpath.http import ConnectionPool, Origin, PoolLimits, Request, Timeouts
from tests.faults.http.servers import Echo, echoing, none_open


async def ask_everything() -> None:
    """Ask in every way, with some callers cancelled, and leave nothing behind."""
    limits = PoolLimits(connections=4, idle_timeout=float("inf"))
    timeouts = Timeouts(total=30.0, connect=float("inf"))
    async with echoing() as origin, ConnectionPool(limits=limits, timeouts=timeouts) as pool:

        async def ask(way: bytes, times: int) -> None:
            body = b"x" * 1_000_000
            async with await pool.request(origin, Request(b"PUT", b"/p?" + way, (), body)) as got:
                assert await got.read() == b"/p" * times

        ways = [(b"", 1), (b"chunked", 1), (b"slow", 1), (b"close", 1), (b"large", 20_000)] * 20
        tasks = [asyncio.create_task(ask(*way)) for way in ways]
        await asyncio.sleep(0.01)
        for task in tasks[::7]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [each for each in ended if not isinstance(each, asyncio.CancelledError | None)]
        assert failed == []
        assert pool.snapshot().connections == pool.snapshot().idle


async def test_on_uvloop() -> None:
    """All is the same on uvloop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(ask_everything())

    await asyncio.to_thread(run)


async def test_on_asyncio() -> None:
    """The same on the loop of the library."""
    await ask_everything()


async def test_over_ipv6() -> None:
    """An IPv6 address is connected to, and `Host` has its brackets."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(Echo, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    origin = Origin("::1", server.sockets[0].getsockname()[1])
    async with ConnectionPool() as pool:
        assert await (await pool.request(origin, Request(b"GET", b"/six"))).read() == b"/six"
    server.close()
    await server.wait_closed()
    await none_open()


async def test_by_name() -> None:
    """A name that has several addresses is tried until one answers."""
    async with echoing() as origin, ConnectionPool() as pool:
        named = Origin("localhost", origin.port)
        assert await (await pool.request(named, Request(b"GET", b"/name"))).read() == b"/name"
