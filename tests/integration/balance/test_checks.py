"""Checks of real servers: nginx, PostgreSQL and Valkey, ended and started again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from loadpath.balance import (
    ActiveChecker,
    Balancer,
    Endpoint,
    HealthRouter,
    HttpProbe,
    PostgresProbe,
    Probe,
    ProbeFailedError,
    RedisProbe,
    TcpProbe,
)
from loadpath.local import nginx, postgres, valkey
from loadpath.local.server import Server
from tests.faults.balance.servers import until

PAGES = """
location = /health { return 200 'all is well\\n'; }
location = /broken { return 500; }
location = /moved { return 302 /health; }
"""


def at(server: Server) -> Endpoint:
    """Return a server's endpoint."""
    assert server.port is not None
    return Endpoint(host="127.0.0.1", port=server.port)


async def down_and_up(server: Server, probe: Probe, end: Callable[[], Awaitable[None]]) -> None:
    """A server that ends goes down; started again it comes up, after two good checks."""
    balancer = Balancer([at(server)])
    async with ActiveChecker(balancer, probe, interval=0.05, timeout=5.0):

        def state() -> tuple[str, bool]:
            (stats,) = balancer.get_server_stats()
            return stats.state, stats.last_health_check is not None

        await until(lambda: state() == ("up", True))
        await end()
        await until(lambda: state()[0] == "down")
        (stats,) = balancer.get_server_stats()
        assert stats.consecutive_failures >= 3
        assert stats.last_failure
        await server.restart()
        await until(lambda: state()[0] == "up")


async def test_nginx() -> None:
    """Over HTTP, also the nginx that was stopped (its workers outlive a kill) and started again."""
    async with nginx(server=PAGES) as server:
        endpoint = at(server)
        await HttpProbe().check(endpoint)
        await HttpProbe(contains=b"all is well").check(endpoint)
        await HttpProbe(path="/moved", statuses={302}).check(endpoint)
        for probe, reason in [
            (HttpProbe(path="/broken"), "HTTP status 500"),
            (HttpProbe(path="/moved"), "HTTP status 302"),
            (HttpProbe(path="/none"), "HTTP status 404"),
            (HttpProbe(contains=b"ill"), "answered without 'ill'"),
        ]:
            with pytest.raises(ProbeFailedError, match=reason):
                await probe.check(endpoint)
        await down_and_up(server, HttpProbe(), server.stop)


async def test_postgres() -> None:
    """Without a password; a wrong user or database is still a living server."""
    async with postgres(relaxed=True) as server:
        await PostgresProbe(user="nobody", database="nowhere").check(at(server))
        await TcpProbe().check(at(server))
        await down_and_up(server, PostgresProbe(), server.kill)
        assert await server.row("SELECT 1") == ["1"]


async def test_valkey() -> None:
    """With the password; without or with a wrong one the reason is Valkey's own."""
    async with valkey(relaxed=True) as server:
        with pytest.raises(ProbeFailedError, match="NOAUTH"):
            await RedisProbe().check(at(server))
        with pytest.raises(ProbeFailedError, match="WRONGPASS"):
            await RedisProbe(password="wrong").check(at(server))
        await RedisProbe(user="default", password=server.password).check(at(server))
        await down_and_up(server, RedisProbe(password=server.password), server.kill)


async def wrong(probe: Probe, endpoint: Endpoint) -> str:
    """Return why a probe of another protocol fails."""
    with pytest.raises(ProbeFailedError) as caught:
        async with asyncio.timeout(30):
            await probe.check(endpoint)
    return str(caught.value)


async def test_servers_that_speak_something_else() -> None:
    """Each protocol's probe fails at the other servers, and says what it met."""
    async with nginx(server=PAGES) as web, valkey(relaxed=True) as cache:
        assert "instead of PONG" in await wrong(RedisProbe(), at(web))
        assert "does not speak PostgreSQL" in await wrong(PostgresProbe(), at(web))
        told: Awaitable[str] = wrong(HttpProbe(), at(cache))
        assert await told


async def test_the_guides_router_on_two_servers() -> None:
    """`/health` decides: one of two servers goes, calls go on, an operator takes out the other."""
    async with nginx(server=PAGES) as one, nginx(server=PAGES) as other:
        addresses = [at(one).address, at(other).address]
        async with HealthRouter(addresses, interval=0.05) as router:
            await until(lambda: all(s.last_health_check for s in router.get_server_stats()))
            await one.stop()
            await until(lambda: router.get_server_stats()[0].state == "down")
            for _ in range(20):
                with router.pick() as pick:
                    await TcpProbe().check(pick.endpoint)
                assert pick.endpoint.address == addresses[1]
            router.set_server_health(addresses[1], healthy=False)
            assert router.snapshot().endpoints[1].state == "drained"
            router.set_server_health(addresses[1], healthy=True)
            router.swap(addresses[1:])
            assert [stats.state for stats in router.get_server_stats()] == ["up"]
