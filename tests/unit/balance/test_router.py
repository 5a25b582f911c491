"""The guide's router is a balancer and its checks (on real servers: tests/integration/balance)."""

import pytest

from loadpath.balance import Balancer, Endpoint, HealthRouter, RoundRobin, UnknownEndpointError
from tests.faults.balance.servers import until


class AllIsWell:
    """A probe that passes."""

    def __init__(self) -> None:
        self.checks = 0

    async def check(self, endpoint: Endpoint) -> None:
        """Pass."""
        del endpoint
        self.checks += 1


async def test_it_picks_checks_and_tells() -> None:
    """Everything that the guide's class offers, under its names."""
    probe = AllIsWell()
    async with HealthRouter(["server1:3000", "server2:3000"], probe=probe, interval=0.01) as router:
        await until(lambda: probe.checks >= 4)
        router.set_server_health("server1:3000", healthy=False)
        with router.pick() as pick:
            assert pick.endpoint.address == "server2:3000"
        states = [each.state for each in router.get_server_stats()]
        assert states == ["drained", "up"]
        with pytest.raises(UnknownEndpointError):
            router.set_server_health("server3:3000", healthy=False)
    assert router.snapshot().generation == 1


async def test_it_takes_a_balancer_of_the_callers() -> None:
    """With whatever settings."""
    balancer = Balancer(["a:80"], policy=RoundRobin)
    async with HealthRouter(balancer, probe=AllIsWell()) as router:
        assert router.balancer is balancer
        assert router.swap(["b:80"]).added[0].address == "b:80"
