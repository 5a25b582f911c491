"""An upstream over real nginx servers: checks, traffic and operators together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from loadpath.balance import ActiveChecker, Balancer, HealthRules, HttpProbe, RoundRobin
from loadpath.http import Timeouts
from loadpath.local import Nginx, nginx
from loadpath.upstream import Upstream, UpstreamFailedError, UpstreamInDoubtError

SERVER = """
location /health { return 200 "well"; }
location / { return 200 "$server_port"; }
"""
SICK = """
location /health { return 503; }
location / { return 200 "$server_port"; }
"""


@pytest.fixture
async def servers() -> AsyncIterator[list[Nginx]]:
    """Run two servers that are well, and one whose health check fails."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(nginx(server=each)) for each in (SERVER, SERVER, SICK)
        ]


def address(server: Nginx) -> str:
    """Return a server as an endpoint."""
    return f"127.0.0.1:{server.port}"


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.01)


def states(orders: Upstream) -> list[str]:
    """Return the state of every endpoint."""
    return [each.state for each in orders.snapshot().endpoints]


async def test_checks_traffic_and_operators_decide_together(servers: list[Nginx]) -> None:
    """A failed check, a stopped server and a drained endpoint each lead calls around it."""
    addresses = [address(server) for server in servers]
    balancer = Balancer(policy=RoundRobin, health=HealthRules(fall=2, rise=2), panic=0.0)
    checker = ActiveChecker(balancer, HttpProbe(path="/health"), interval=0.05)
    async with Upstream(
        "orders", addresses, balancer=balancer, checker=checker, breaker=None
    ) as orders:
        await until(lambda: states(orders) == ["up", "up", "down"])
        assert "503" in orders.snapshot().endpoints[2].reason
        answered = {(await orders.request("GET", "/")).endpoint for _ in range(20)}
        assert answered == set(addresses[:2])

        await servers[0].stop()
        for _ in range(20):
            answer = await orders.request("GET", "/", timeouts=Timeouts(connect=1.0, read=1.0))
            assert addresses.index(answer.endpoint) == 1
        await until(lambda: states(orders)[0] != "up")

        await servers[0].start()
        balancer.set_server_health(addresses[0], True)
        await until(lambda: states(orders)[:2] == ["up", "up"])
        balancer.set_server_health(addresses[1], False)
        answered = {(await orders.request("GET", "/")).endpoint for _ in range(10)}
        assert answered == {addresses[0]}
        assert states(orders)[1] == "drained"


async def test_a_stop_under_load_loses_no_call_that_may_happen_twice(
    servers: list[Nginx],
) -> None:
    """While a server goes and comes back, every GET is answered."""
    addresses = [address(server) for server in servers[:2]]
    async with Upstream("orders", addresses) as orders:
        done = False

        async def worker() -> int:
            calls = 0
            while not done:
                try:
                    answer = await orders.request("GET", "/")
                except UpstreamFailedError:
                    continue  # stopped between head and body: known, and the caller's to repeat
                assert answer.status == 200
                calls += 1
            return calls

        workers = [asyncio.create_task(worker()) for _ in range(4)]
        for _ in range(3):
            await asyncio.sleep(0.1)
            await servers[0].stop()
            await asyncio.sleep(0.1)
            await servers[0].start()
        done = True
        try:
            calls = await asyncio.gather(*workers)
        except UpstreamInDoubtError as error:  # pragma: no cover - a failure with its reasons
            pytest.fail(f"{error}: {error.__cause__!r}")
        assert sum(calls) > 100
        assert all(each.in_flight == 0 for each in orders.snapshot().endpoints)
