"""The policies under traffic: one slow server, one that fails at once, all alike."""

from collections.abc import Callable

import pytest

from benchmarks.balance.simulation import (
    OurRouter,
    Server,
    all_equal,
    one_failing,
    one_slow,
    simulate,
)
from loadpath.balance import (
    Ketama,
    LeastConnections,
    LeastResponseTime,
    Maglev,
    Policy,
    RoundRobin,
    WeightedRandom,
    WeightedRoundRobin,
)


def pairwise(random: object) -> LeastConnections:
    """Return least connections as it is in a large set: the better of two."""
    return LeastConnections(random, scan_up_to=1)  # type: ignore[arg-type] # a Random


LOAD_AWARE: list[Policy] = [LeastConnections, pairwise, LeastResponseTime]  # type: ignore[list-item] # a policy
OTHERS: list[Policy] = [RoundRobin, WeightedRoundRobin, WeightedRandom, Ketama, Maglev]
Servers = Callable[[], list[Server]]


def p99(policy: Policy, servers: Servers, load: float) -> float:
    """Return the latency that 1 % of the calls exceed (s)."""
    return simulate(OurRouter(policy), servers(), load=load, calls=15_000).percentile(0.99)


@pytest.mark.parametrize("policy", LOAD_AWARE)
def test_a_black_hole_gets_next_to_nothing(policy: Policy) -> None:
    """The issue's limit is 2 %, over forty seconds in which ejections end and begin again."""
    outcome = simulate(OurRouter(policy), one_failing(), load=0.6, calls=100_000)
    assert outcome.error_share <= 0.02


@pytest.mark.parametrize("policy", OTHERS)
def test_ejection_helps_every_policy(policy: Policy) -> None:
    """Where a tenth of all calls would fail."""
    outcome = simulate(OurRouter(policy), one_failing(), load=0.6, calls=15_000)
    assert outcome.error_share <= 0.02


def test_without_ejection_only_the_penalty_helps() -> None:
    """Least connections falls into the hole, least response time does not."""
    falls, stays = (
        simulate(OurRouter(policy, outliers=False), one_failing(), load=0.6, calls=15_000)
        for policy in (LeastConnections, LeastResponseTime)
    )
    assert falls.error_share > 0.3
    assert stays.error_share <= 0.02


@pytest.mark.parametrize("policy", LOAD_AWARE)
def test_a_slow_server_is_relieved(policy: Policy) -> None:
    """A server ten times slower costs a hundred times less than under round robin."""
    slow = p99(policy, one_slow, 0.6)
    assert slow < 0.1
    assert p99(RoundRobin, one_slow, 0.6) > 100 * slow


@pytest.mark.parametrize("policy", LOAD_AWARE)
def test_equal_servers_are_used_equally(policy: Policy) -> None:
    """At 80 % load nobody does worse than round robin, and everybody has its tenth."""
    outcome = simulate(OurRouter(policy), all_equal(), load=0.8, calls=15_000)
    assert outcome.percentile(0.99) <= 1.1 * p99(RoundRobin, all_equal, 0.8)
    assert max(outcome.by_server) <= 1.2 * sum(outcome.by_server) / 10


def test_half_of_the_failures_are_enough() -> None:
    """A server that fails three of four calls, spread, is found by its success rate."""
    router = OurRouter(RoundRobin)
    for call in range(24_000):
        router.clock.advance(0.002)
        number, done = router.route(0.0)
        done(number != 0 or call % 40 == 0)
    stats = router.balancer.get_server_stats()
    assert stats[0].state == "ejected"
    assert [each.state for each in stats[1:]] == ["up"] * 9
