"""Defects of the guide's load balancers, each shown by one scenario against them and ours.

A scenario is written once, against what a user of either can do. The rendering of the guide must
fail it, ours must pass.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import pytest

from benchmarks.balance.simulation import (
    Done,
    OurRouter,
    Router,
    one_failing,
    simulate,
)
from loadpath.balance import (
    ActiveChecker,
    Balancer,
    Endpoint,
    LeastConnections,
    LeastResponseTime,
    SlowStart,
    WeightedRoundRobin,
)
from loadpath.testing import FakeClock
from tests.faults.balance.servers import until
from tests.guide.as_written.balance import (
    Hang,
    HealthCheckLoadBalancer,
    LeastConnectionsLoadBalancer,
    LeastResponseTimeLoadBalancer,
    Node,
    Response,
    WeightedRoundRobinLoadBalancer,
)

URLS = [f"server{number}:3000" for number in range(1, 4)]
CHECK_EVERY = 10.0
SWEEPS = 12


@dataclass
class World:
    """Say how the servers behave now.

    Attributes:
        broken: Servers whose calls fail.
        unwell: Servers whose `/health` answers 500.
        hung: Servers whose `/health` never answers.
    """

    broken: set[str] = field(default_factory=set)
    unwell: set[str] = field(default_factory=set)
    hung: set[str] = field(default_factory=set)


class System(Protocol):
    """Do what a user of either balancer can do."""

    world: World

    async def pass_time(self, seconds: float) -> None:
        """Let time pass; checks run meanwhile."""
        ...

    def call(self, calls: int) -> Counter[str]:
        """Make calls one after the other and return who got them."""
        ...

    def leave(self, url: str) -> None:
        """Tell that a server is down."""
        ...

    def come_back(self, url: str) -> None:
        """Tell that a server is up again."""
        ...

    @property
    def outstanding(self) -> int:
        """Checks that were begun and have not ended."""
        ...


async def calls_one_after_the_other(system: System) -> None:
    """An idle system uses all of its servers."""
    assert min(system.call(30)[url] for url in URLS) >= 5


async def a_server_that_comes_back(system: System) -> None:
    """A server that just came back, cold, is not given all of its share at once."""
    usual = system.call(300)[URLS[0]]
    system.leave(URLS[0])
    system.call(30)
    system.come_back(URLS[0])
    assert 0 < system.call(300)[URLS[0]] < usual / 2


async def a_server_that_fails_calls_and_passes_checks(system: System) -> None:
    """Its `/health` is fine and its calls are not: callers soon see next to none of that."""
    system.world.broken.add(URLS[0])
    await system.pass_time(60.0)
    system.call(200)
    assert system.call(200)[URLS[0]] <= 4


async def a_server_that_is_well_again(system: System) -> None:
    """Down after three checks at 30 s, well from then on: it serves again before a minute is over.

    Two good checks are at 40 s and 50 s.
    """
    system.world.unwell.add(URLS[0])
    await system.pass_time(31.0)
    assert system.call(100)[URLS[0]] == 0
    system.world.unwell.clear()
    await system.pass_time(24.0)
    assert system.call(100)[URLS[0]] > 0


async def one_good_check_among_failures(system: System) -> None:
    """Two good checks in a row are a recovery; one is not, however long it was down."""
    system.world.unwell.add(URLS[0])
    await system.pass_time(3 * CHECK_EVERY + 1)
    for _ in range(SWEEPS):
        await system.pass_time(CHECK_EVERY)
        assert system.call(50)[URLS[0]] == 0
        system.world.unwell ^= {URLS[0]}  # every other check is good


async def a_check_that_hangs(system: System) -> None:
    """A server that accepts and never answers is found out, and checks do not pile up."""
    system.world.hung.add(URLS[0])
    await system.pass_time(150.0)
    assert system.call(100)[URLS[0]] == 0
    assert system.outstanding <= 1


Scenario = Callable[[System], Awaitable[None]]


class AsWritten:
    """What the renderings have in common: virtual time and servers that behave as the world."""

    def __init__(self) -> None:
        self.world = World()
        self.node = Node()

    async def fetch(self, url: str, **options: object) -> Response:
        """Fetch as browsers and Node.js do: unknown options are ignored."""
        del options
        server = url.removeprefix("http://").partition("/")[0]
        if server in self.world.hung:
            return await Hang()
        return Response(ok=server not in self.world.unwell)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass on the virtual clock."""
        self.node.advance(seconds)

    @property
    def outstanding(self) -> int:
        """Checks that hang."""
        return len(self.node.outstanding)

    def leave(self, url: str) -> None:
        """Say nothing: most of the guide's classes have no such call."""
        raise NotImplementedError

    come_back = leave


class LeastConnectionsAsWritten(AsWritten):
    """Use the guide's least connections."""

    def __init__(self) -> None:
        super().__init__()
        self._balancer = LeastConnectionsLoadBalancer(URLS)

    def call(self, calls: int) -> Counter[str]:
        """Make calls; each ends before the next begins."""
        counted = Counter[str]()
        for _ in range(calls):
            url = self._balancer.get_next_server()
            counted[url] += 1
            self._balancer.release_connection(url)
        return counted


class WeightedAsWritten(AsWritten):
    """Use the guide's weighted round robin."""

    def __init__(self) -> None:
        super().__init__()
        self._balancer = WeightedRoundRobinLoadBalancer([(url, 1) for url in URLS])

    def call(self, calls: int) -> Counter[str]:
        """Make calls."""
        return Counter(self._balancer.get_next_server() for _ in range(calls))

    def leave(self, url: str) -> None:
        """Mark a server."""
        self._balancer.update_server_health(url, is_healthy=False)

    def come_back(self, url: str) -> None:
        """Mark a server."""
        self._balancer.update_server_health(url, is_healthy=True)


class ResponseTimeAsWritten(AsWritten):
    """Use the guide's least response time."""

    def __init__(self) -> None:
        super().__init__()
        self._balancer = LeastResponseTimeLoadBalancer(URLS, self.node, self.fetch)

    def call(self, calls: int) -> Counter[str]:
        """Make calls of 10 ms as the guide's `handleRequest` does."""
        counted = Counter[str]()
        for _ in range(calls):
            url = self._balancer.get_next_server()
            self._balancer.record_response_time(url, 10)
            counted[url] += 1
        return counted


class HealthCheckAsWritten(AsWritten):
    """Use the guide's health-check balancer."""

    def __init__(self) -> None:
        super().__init__()
        self._balancer = HealthCheckLoadBalancer(URLS, self.node, self.fetch)

    def call(self, calls: int) -> Counter[str]:
        """Make calls; there is nothing to tell how they went."""
        return Counter(self._balancer.get_next_server() for _ in range(calls))


class Ours:
    """Use a `Balancer`; checks are reported every 10 s, as a checker does."""

    def __init__(self) -> None:
        self.world = World()
        self.clock = FakeClock()
        self.balancer = self.made()
        self._next_check = CHECK_EVERY

    def made(self) -> Balancer:
        """Return the balancer of the scenario."""
        return Balancer(URLS, random=Random(1), clock=self.clock)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and report checks."""
        end = self.clock.monotonic() + seconds
        while self._next_check <= end:
            self.clock.advance(self._next_check - self.clock.monotonic())
            self._next_check += CHECK_EVERY
            for endpoint in self.balancer.endpoints:
                unwell = endpoint.address in self.world.unwell
                self.balancer.on_check(endpoint, "HTTP 500" if unwell else "")
        self.clock.advance(end - self.clock.monotonic())

    def call(self, calls: int) -> Counter[str]:
        """Make calls of 10 ms."""
        counted = Counter[str]()
        for _ in range(calls):
            pick = self.balancer.pick()
            counted[pick.endpoint.address] += 1
            pick.answered(500 if pick.endpoint.address in self.world.broken else 200, latency=0.01)
        return counted

    def leave(self, url: str) -> None:
        """Take a server out."""
        self.balancer.set_server_health(url, healthy=False)

    def come_back(self, url: str) -> None:
        """Put a server back."""
        self.balancer.set_server_health(url, healthy=True)

    @property
    def outstanding(self) -> int:
        """No check is left open: they are reported."""
        return 0


class OurLeastConnections(Ours):
    """Use our least connections."""

    def made(self) -> Balancer:
        """Return the balancer of the scenario."""
        return Balancer(URLS, policy=LeastConnections, random=Random(1), clock=self.clock)


class OurWeighted(Ours):
    """Use our weighted round robin with slow start."""

    def made(self) -> Balancer:
        """Return the balancer of the scenario."""
        return Balancer(
            URLS,
            policy=WeightedRoundRobin,
            slow_start=SlowStart(),
            random=Random(1),
            clock=self.clock,
        )


class OurChecker(Ours):
    """Use a real `ActiveChecker`, a hundredfold faster, on servers of which some hang."""

    def __init__(self) -> None:
        super().__init__()
        self._running = Counter[str]()
        self._rounds = Counter[str]()

    async def check(self, endpoint: Endpoint) -> None:
        """Answer at once or never."""
        address = endpoint.address
        self._running[address] += 1
        self._rounds[address] += 1
        try:
            if address in self.world.hung:
                await asyncio.Event().wait()
        finally:
            self._running[address] -= 1

    async def pass_time(self, seconds: float) -> None:
        """Let so many rounds of checks happen."""
        rounds = seconds / 30.0
        async with ActiveChecker(self.balancer, self, interval=0.03, timeout=0.02):
            await until(lambda: min(self._rounds[url] for url in URLS) >= rounds)
            self._open = max(self._running.values())

    @property
    def outstanding(self) -> int:
        """The most checks that one server had open."""
        return self._open


CASES: list[tuple[Scenario, type[AsWritten], type[Ours]]] = [
    (calls_one_after_the_other, LeastConnectionsAsWritten, OurLeastConnections),
    (a_server_that_comes_back, WeightedAsWritten, OurWeighted),
    (a_server_that_fails_calls_and_passes_checks, HealthCheckAsWritten, Ours),
    (a_server_that_is_well_again, HealthCheckAsWritten, Ours),
    (one_good_check_among_failures, HealthCheckAsWritten, Ours),
    (a_check_that_hangs, ResponseTimeAsWritten, OurChecker),
]
every_case = pytest.mark.parametrize(
    ("scenario", "theirs", "ours"), CASES, ids=[case[0].__name__ for case in CASES]
)


@every_case
async def test_the_guide_as_written_fails(
    scenario: Scenario, theirs: type[System], ours: object
) -> None:
    """The rendering of the guide does not do what its users expect."""
    del ours
    system = theirs()
    try:
        with pytest.raises(AssertionError):
            await scenario(system)
    finally:
        system.node.stop()  # type: ignore[attr-defined] # every rendering has one


@every_case
async def test_ours_passes(scenario: Scenario, theirs: object, ours: type[System]) -> None:
    """The same scenario holds for ours."""
    del theirs
    await scenario(ours())


def a_black_hole(router: Router) -> None:
    """One of ten fails everything in 1 ms: after the first second at most 2 % of calls meet it."""
    assert simulate(router, one_failing(), load=0.6).error_share <= 0.02


class BlackHoleAsWritten:
    """Route as the guide's `handleRequest`: an answer is an answer, its time is recorded."""

    def __init__(self) -> None:
        async def fetch(*_: object, **__: object) -> Response:
            return Response(ok=True)

        servers = [f"server-{number}" for number in range(10)]
        self._balancer = LeastResponseTimeLoadBalancer(servers, Node(), fetch)

    def pass_time(self, now: float) -> None:
        """Keep no clock."""

    def route(self, now: float) -> tuple[int, Done]:
        """Return the server with the lowest mean."""
        del now
        url = self._balancer.get_next_server()

        def done(succeeded: bool) -> None:  # noqa: FBT001 - the simulation's callback
            self._balancer.record_response_time(url, 10.0 if succeeded else 1.0)

        return int(url.removeprefix("server-")), done


def test_the_guides_response_times_are_a_black_hole() -> None:
    """Almost every call goes to the server that fails quickest."""
    with pytest.raises(AssertionError):
        a_black_hole(BlackHoleAsWritten())
    outcome = simulate(BlackHoleAsWritten(), one_failing(), load=0.6, calls=5_000)
    assert outcome.error_share > 0.99


@pytest.mark.parametrize("policy", [LeastResponseTime, LeastConnections])
def test_ours_leaves_the_black_hole(policy: type[LeastResponseTime | LeastConnections]) -> None:
    """With either load-aware policy."""
    a_black_hole(OurRouter(policy))


@pytest.mark.parametrize("policy", [LeastResponseTime])
def test_ours_leaves_it_by_response_time_alone(policy: type[LeastResponseTime]) -> None:
    """The penalty of a failure is enough, without ejection."""
    a_black_hole(OurRouter(policy, outliers=False))
