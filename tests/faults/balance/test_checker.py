"""Checks among servers that hang, sets that change and tasks that are cancelled."""

import asyncio
import gc
from collections import Counter
from random import Random

import pytest

from loadpath.balance import (
    ActiveChecker,
    Balancer,
    Endpoint,
    HealthRules,
    HttpProbe,
    LeastConnections,
    Member,
    NoEndpointError,
    Pick,
)
from tests.faults.balance.servers import saying, serving, then_silent, until

OK = b"HTTP/1.1 200 OK\r\n\r\n"


class Scripted:
    """A probe whose endpoints behave as told: by host `up`, `down`, `hung` or `rude`."""

    def __init__(self) -> None:
        self.behaviour: dict[str, str] = {}
        self.checks = Counter[str]()
        self.running = Counter[str]()
        self.most = Counter[str]()

    async def check(self, endpoint: Endpoint) -> None:
        """Behave."""
        host = endpoint.host
        behaviour = self.behaviour.get(host, "up")
        self.checks[host] += 1
        self.running[behaviour] += 1
        self.running[host] += 1
        for key in (behaviour, host):
            self.most[key] = max(self.most[key], self.running[key])
        try:
            if behaviour == "hung":
                await asyncio.Event().wait()
            if behaviour == "rude":
                raise ZeroDivisionError
            if behaviour == "down":
                raise ConnectionRefusedError("nobody is there")
            await asyncio.sleep(0)
        finally:
            self.running[behaviour] -= 1
            self.running[host] -= 1


def states(balancer: Balancer) -> dict[str, str]:
    """Return each host's state."""
    return {each.address.partition(":")[0]: each.state for each in balancer.get_server_stats()}


async def test_whoever_hangs_holds_nobody_up() -> None:
    """Forty hang, four places: the ten others are checked again and again, nobody twice at once."""
    probe = Scripted()
    probe.behaviour = {f"hung{n}": "hung" for n in range(40)}
    names = [*probe.behaviour, *(f"good{n}" for n in range(10))]
    balancer = Balancer([f"{name}:80" for name in names])
    checker = ActiveChecker(balancer, probe, interval=0.05, timeout=0.02, concurrency=4)
    async with checker:
        await until(lambda: all(probe.checks[name] >= 3 for name in names))
        at = probe.checks["good0"]
        await until(lambda: probe.checks["good0"] >= at + 10)
        assert checker.running <= 8
    assert checker.running == 0
    assert probe.most["hung"] <= 8
    assert max(probe.most[name] for name in names) == 1
    assert all(
        state == ("down" if "hung" in name else "up") for name, state in states(balancer).items()
    )
    (stats, *_) = balancer.get_server_stats()
    assert stats.last_failure == "no answer within 0.02 s"
    assert sum(probe.running.values()) == 0


async def test_whatever_a_probe_raises_is_a_failed_check() -> None:
    """The checker goes on, and the reason is told."""
    probe = Scripted()
    probe.behaviour = {"a": "rude", "b": "down"}
    balancer = Balancer(["a:80", "b:80", "c:80"], health=HealthRules(fall=1))
    async with ActiveChecker(balancer, probe, interval=0.01):
        await until(lambda: states(balancer) == {"a": "down", "b": "down", "c": "up"})
        assert [each.last_failure for each in balancer.get_server_stats()] == [
            "ZeroDivisionError",
            "nobody is there",
            "",
        ]
        probe.behaviour = {}
        await until(lambda: set(states(balancer).values()) == {"up"})


async def test_a_swap_is_followed() -> None:
    """The new are checked, the gone no more, and a hung check of one that is gone is ended."""
    probe = Scripted()
    probe.behaviour = {"a": "hung", "c": "down"}
    balancer = Balancer(["a:80", "b:80"], health=HealthRules(fall=1))
    async with ActiveChecker(balancer, probe, interval=0.02, timeout=60.0):
        await until(lambda: probe.running["a"] == 1 and probe.checks["b"] > 1)
        balancer.swap(["b:80", "c:80"])
        await until(lambda: states(balancer)["c"] == "down")
        await until(lambda: probe.running["a"] == 0)
        gone = probe.checks["a"]
        seen = probe.checks["b"]
        await until(lambda: probe.checks["b"] > seen + 3)
        assert probe.checks["a"] == gone
        probe.behaviour = {}
        balancer.swap(["a:80"])
        await until(lambda: probe.checks["a"] > gone)


async def test_the_real_thing_leaves_no_connection() -> None:
    """Over sockets: one serves, one hangs; at the end both have none of ours."""
    before = asyncio.all_tasks()
    async with serving(saying(OK)) as good, serving(then_silent(b"")) as hung:
        balancer = Balancer([good.endpoint, hung.endpoint])
        async with ActiveChecker(balancer, HttpProbe(), interval=0.02, timeout=0.1):
            await until(lambda: balancer.get_server_stats()[1].state == "down")
            await until(lambda: hung.connections == 1)
        await until(lambda: good.connections == hung.connections == 0)
        assert balancer.get_server_stats()[0].state == "up"
        assert good.accepted >= 3
    assert asyncio.all_tasks() <= before


async def test_cancelled_at_any_moment_nothing_is_left() -> None:
    """However far the checker came, also while it ends, its tasks and checks are gone."""
    before, probe = asyncio.all_tasks(), Scripted()
    probe.behaviour = {"a": "hung"}
    for turns in range(40):
        balancer = Balancer(["a:80", "b:80"])
        task = asyncio.create_task(stay(ActiveChecker(balancer, probe, interval=0.001)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # an impatient caller
        await asyncio.wait([task])
        await until(lambda: asyncio.all_tasks() <= before)
        assert probe.running["a"] == probe.running["b"] == 0


async def stay(checker: ActiveChecker) -> None:
    """Run a checker for a few turns of the loop."""
    async with checker:
        for _ in range(30):
            await asyncio.sleep(0)


async def test_it_runs_once_at_a_time() -> None:
    """Entered twice it says so; used again after its end it works."""
    probe = Scripted()
    checker = ActiveChecker(Balancer(["a:80"]), probe, interval=0.01)
    async with checker:
        with pytest.raises(RuntimeError, match="runs already"):
            await checker.__aenter__()
    async with checker:
        seen = probe.checks["a"]
        await until(lambda: probe.checks["a"] > seen)


async def test_two_thousand_come_and_go_under_load() -> None:
    """Endpoints added and removed, calls held, failed and cancelled: nothing is left of them."""
    chance, probe, before = Random(1), Scripted(), asyncio.all_tasks()
    balancer = Balancer(policy=LeastConnections, random=Random(2))
    held: list[Pick] = []
    names = [f"churned{number}:80" for number in range(2_000)]
    async with ActiveChecker(balancer, probe, interval=0.5, concurrency=50):
        for _ in range(60):
            balancer.swap(chance.sample(names, chance.choice([0, 1, 200, 2_000])))
            for _ in range(50):
                await call(balancer, held, chance)
        balancer.swap(names)
        await until(lambda: len(probe.checks) > 1_000)
    while held:
        held.pop().success()
    assert all(each.active == 0 for each in balancer.get_server_stats())
    assert sum(probe.running.values()) == 0
    balancer.swap([])
    balancer.snapshot()
    gc.collect()
    living = [each for each in gc.get_objects() if isinstance(each, Member)]
    assert not [each for each in living if each.endpoint.host.startswith("churned")]
    assert asyncio.all_tasks() <= before


async def call(balancer: Balancer, held: list[Pick], chance: Random) -> None:
    """Pick, hold, and end some call in some way."""
    try:
        held.append(balancer.pick())
    except NoEndpointError:
        assert len(balancer.endpoints) == 0
    if len(held) > 100:
        pick = held.pop(chance.randrange(len(held)))
        chance.choice([pick.success, pick.failure, pick.cancel])()
    await asyncio.sleep(0)
