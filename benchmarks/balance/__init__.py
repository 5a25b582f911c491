"""What a pick costs at any number of endpoints, and what the policies do to callers.

CPU nanoseconds of one pick, the loop around it included, every endpoint with a latency and a few
calls in flight; rounds of all policies alternate, medians are told. uhashring is the ring that a
Python user would take; it has no bound and no health, which ours looks at for every pick. The
simulation is `simulation.py`: ten servers of four slots, one of which fails in a millisecond or is
ten times slower, or all alike at 80 % load.
"""

import time
from collections.abc import Callable, Iterator
from random import Random
from statistics import median

from uhashring import HashRing

from benchmarks.balance.simulation import (
    OurRouter,
    Server,
    all_equal,
    one_failing,
    one_slow,
    simulate,
)
from benchmarks.result import Result
from loadpath.balance import (
    Balancer,
    EarliestDeadline,
    Endpoint,
    IPHash,
    Ketama,
    LeastConnections,
    LeastResponseTime,
    Maglev,
    Member,
    Pick,
    Policy,
    RoundRobin,
    SmoothWeighted,
    WeightedRandom,
    WeightedRoundRobin,
)

ROUNDS = 9
PICKS = 4_000
POLICIES: list[Policy] = [
    RoundRobin,
    WeightedRoundRobin,
    LeastConnections,
    LeastResponseTime,
    WeightedRandom,
    IPHash,
    Ketama,
    Maglev,
]
NAMES = [
    "round robin",
    "weighted round robin",
    "least connections",
    "least response time",
    "weighted random",
    "IP hash",
    "ketama ring",
    "Maglev",
]
SIZES = (10, 100, 1_000)
LIMITS = {10: 2_500, 100: 1_500, 1_000: 1_500}
LOAD_AWARE: list[Policy] = [LeastConnections, LeastResponseTime]
CLIENTS = [f"10.{n % 251}.{n % 241}.1".encode() for n in range(PICKS)]
USERS = [f"user-{n * 7_919 % 100_003}" for n in range(PICKS)]
USER_KEYS = [user.encode() for user in USERS]

Work = Callable[[], object]


def run() -> list[Result]:
    """Return every figure of the room."""
    return [*pick_costs(), *whole_picks(), *against_peers(), *outcomes()]


def nanoseconds(*works: Work) -> list[float]:
    """Return the CPU time of one pick of each work; what a work returns is dropped untimed."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, spent, strict=True):
            start = time.process_time_ns()
            held = work()
            times.append((time.process_time_ns() - start) / PICKS)
            del held
    return [median(times) for times in spent]


def endpoints(count: int) -> list[Endpoint]:
    """Return endpoints of different weights."""
    return [
        Endpoint(host=f"10.1.{number // 250}.{number % 250}", port=80, weight=1 + number % 3)
        for number in range(count)
    ]


def busy(count: int) -> list[Member]:
    """Return members as they are in the middle of a day."""
    members = [Member(endpoint) for endpoint in endpoints(count)]
    for number, member in enumerate(members):
        member.latency.update(0.01 + number % 7 / 1_000, 0.0)
        member.active = number % 2
        member.tally = members[0].tally
    members[0].tally.active = count // 2
    return members


def picking(policy: Policy, count: int) -> Work:
    """Pick by a policy alone."""
    picker = policy(Random(1))
    picker.update(busy(count))
    keys = CLIENTS if policy is IPHash else USER_KEYS
    pick = picker.pick

    def work() -> None:
        for key in keys:
            pick(1.0, key, ())

    return work


def pick_costs() -> Iterator[Result]:
    """Measure every policy at every size."""
    for count in SIZES:
        works = [picking(policy, count) for policy in POLICIES]
        for name, spent in zip(NAMES, nanoseconds(*works), strict=True):
            yield alone(f"pick by {name}, {count:,} endpoints", spent, goal=LIMITS[count])


def whole_picks() -> Iterator[Result]:
    """Measure `Balancer.pick` with its lease, health and ejection, at a thousand endpoints."""
    chosen = [RoundRobin, LeastConnections, LeastResponseTime, Maglev]
    works = [leasing(policy) for policy in chosen]
    names = [NAMES[POLICIES.index(policy)] for policy in chosen]
    for name, spent in zip(names, nanoseconds(*works), strict=True):
        yield alone(f"Balancer.pick by {name}, 1,000 endpoints", spent, goal=1_500)


def leasing(policy: Policy) -> Work:
    """Pick and hold the leases until the round is over; finishing is not part of a pick."""
    balancer = Balancer(endpoints(1_000), policy=policy, random=Random(1))
    keys = USER_KEYS
    for _ in range(PICKS):
        balancer.pick().success(latency=0.01)

    def work() -> list[Pick]:
        pick = balancer.pick
        return [pick(key=key) for key in keys]

    return work


def against_peers() -> Iterator[Result]:
    """Measure ours beside nginx's scan and beside another ring."""
    deadlines, scan = nanoseconds(
        picking(EarliestDeadline, 1_000), picking(lambda _: SmoothWeighted(), 1_000)
    )
    yield against("weighted order, 1,000 endpoints", deadlines, "nginx's scan", scan, goal=50)
    ours, theirs = nanoseconds(picking(Ketama, 100), peer_ring(100))
    yield against("key to server on a ring of 100", ours, "uhashring", theirs, goal=1.0)


def peer_ring(count: int) -> Work:
    """Look up keys on the peer's ring."""
    nodes = {each.address: {"weight": each.weight} for each in endpoints(count)}
    ring = HashRing(nodes=nodes, hash_fn="ketama")
    get = ring.get_node

    def work() -> None:
        for user in USERS:
            get(user)

    return work


def outcomes() -> Iterator[Result]:
    """Simulate what callers see."""
    for policy in LOAD_AWARE:
        name = NAMES[POLICIES.index(policy)]
        failing = simulate(OurRouter(policy), one_failing(), load=0.6, calls=100_000)
        yield share(f"errors by {name}, one of ten fails in 1 ms", failing.error_share, goal=0.02)
        slow = slowest(policy, one_slow(), 0.6)
        yield wait(f"p99 by {name}, one of ten is 10 x slower", slow, goal=0.1)
        equal = slowest(policy, all_equal(), 0.8)
        yield wait(f"p99 by {name}, all alike at 80 % load", equal, goal=0.06)


def slowest(policy: Policy, servers: list[Server], load: float) -> float:
    """Return the 99th percentile that callers see (s)."""
    return simulate(OurRouter(policy), servers, load=load).percentile(0.99)


def alone(name: str, spent: float, *, goal: float) -> Result:
    """Return a cost against a limit of its own."""
    return Result(name=name, ours=spent, unit="ns CPU", better="lower", goal=goal, goal_on="ours")


def against(name: str, ours: float, peer_name: str, peer: float, *, goal: float) -> Result:
    """Return a cost beside a peer's."""
    return Result(
        name=name,
        ours=ours,
        unit="ns CPU",
        better="lower",
        goal=goal,
        peer_name=peer_name,
        peer=peer,
    )


def share(name: str, ours: float, *, goal: float) -> Result:
    """Return a share of calls."""
    return Result(name=name, ours=ours, unit="of calls", better="lower", goal=goal, goal_on="ours")


def wait(name: str, ours: float, *, goal: float) -> Result:
    """Return a simulated latency."""
    return Result(
        name=name, ours=ours, unit="s simulated", better="lower", goal=goal, goal_on="ours"
    )
