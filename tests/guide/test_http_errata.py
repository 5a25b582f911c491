"""A defect of the guide's health check, shown by one scenario against it and against ours."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from loadpath.http import ConnectionPool, Origin, Request, Timeouts
from tests.faults.http.servers import saying, serving
from tests.guide.as_written.health_check import LeastResponseTimeLoadBalancer

Check = Callable[[Origin, float], Awaitable[bool]]
"""Return whether a server is healthy, within so many seconds."""

PATIENCE = 1.0


async def a_server_that_hangs(check: Check) -> None:
    """A server that accepts and never answers is known to be ill, long before we lose patience."""
    async with serving(saying(b"", then="hang")) as origin, asyncio.timeout(PATIENCE):
        assert not await check(origin, PATIENCE / 20)


async def as_written(origin: Origin, timeout: float) -> bool:  # noqa: ASYNC109 - the guide's option
    """Check as the guide does."""
    balancer = LeastResponseTimeLoadBalancer([f"{origin.host}:{origin.port}"], timeout * 1000)
    await balancer.perform_health_check()
    return bool(balancer.servers[0]["isHealthy"])


async def ours(origin: Origin, timeout: float) -> bool:  # noqa: ASYNC109 - the guide's option
    """Check with our client."""
    async with ConnectionPool(timeouts=Timeouts(total=timeout)) as pool:
        try:
            async with await pool.request(origin, Request(b"GET", b"/health")) as response:
                return response.status == 200
        except (ConnectionError, TimeoutError):
            return False


async def test_the_guide_fails() -> None:
    """`timeout` is no option of `fetch`: the check never ends, and with it no later one begins."""
    with pytest.raises(TimeoutError):
        await a_server_that_hangs(as_written)


async def test_ours_holds() -> None:
    """A total bounds everything from the connection to the last byte."""
    await a_server_that_hangs(ours)


async def test_the_rendering_works_where_nothing_hangs() -> None:
    """The rendering is no straw man: it tells a healthy server from one that refuses or is ill."""
    for status, healthy in ((b"200 OK", True), (b"503 Service Unavailable", False)):
        answer = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status
        async with serving(saying(answer)) as origin:
            assert await as_written(origin, 30.0) is healthy
            assert await ours(origin, 30.0) is healthy
    assert not await as_written(origin, 30.0)
    assert not await ours(origin, 30.0)
