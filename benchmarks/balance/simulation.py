"""A small discrete-event simulation: callers, servers with a few slots and a queue, one policy.

Calls arrive at random (Poisson); a server works on `slots` of them at a time, each for an
exponential time, and queues the rest. A server that fails answers at once with an error. Nothing
waits and nothing is real: a minute of traffic takes a second, and a seed repeats it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from loadpath.balance import Balancer, OutlierRules, Policy
from loadpath.testing import FakeClock

MEAN = 0.010
SLOTS = 4
SERVERS = 10

Done = Callable[[bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Say how a server behaves.

    Attributes:
        mean: Mean time that a call takes (s).
        fails_in: Time in which every call fails, whatever the queue (s); None: none fails.
    """

    mean: float = MEAN
    fails_in: float | None = None


class Router(Protocol):
    """Choose servers, as a balancer does."""

    def pass_time(self, now: float) -> None:
        """Learn what time it is."""
        ...

    def route(self, now: float) -> tuple[int, Done]:
        """Return the number of a server, and what to tell at the end: whether it succeeded."""
        ...


@dataclass(slots=True)
class Outcome:
    """Hold what callers saw after the warm-up.

    Attributes:
        latencies: Of calls that succeeded (s), in order.
        failed: Calls that failed.
        by_server: Calls that each server got.
    """

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    by_server: list[int] = field(default_factory=lambda: [0] * SERVERS)

    @property
    def error_share(self) -> float:
        """Share of the calls that failed (0-1)."""
        return self.failed / max(1, self.failed + len(self.latencies))

    def percentile(self, ratio: float) -> float:
        """Return a latency that so many calls did not exceed (s)."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(ratio * len(ordered)))]


class _Worker:
    """Run one server's slots and queue."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.busy = 0
        self.queue: deque[tuple[float, Done]] = deque()


class _Run:
    """Play the events of one simulation in their order."""

    def __init__(
        self, router: Router, servers: Sequence[Server], *, warm_up: float, seed: int
    ) -> None:
        self.outcome = Outcome()
        self.chance = Random(seed)
        self._router = router
        self._workers = [_Worker(server) for server in servers]
        self._warm_up = warm_up
        self._order = count()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, when: float, what: Callable[[float], None]) -> None:
        """Let something happen."""
        heappush(self._events, (when, next(self._order), what))

    def play(self) -> None:
        """Let everything happen."""
        while self._events:
            now, _, what = heappop(self._events)
            self._router.pass_time(now)
            what(now)

    def arrive(self, now: float) -> None:
        """Route a call that arrives."""
        number, done = self._router.route(now)
        worker = self._workers[number]
        self.outcome.by_server[number] += now >= self._warm_up
        if worker.server.fails_in is not None:
            self.at(now + worker.server.fails_in, partial(self._fail, now, done))
        elif worker.busy < SLOTS:
            self._begin(worker, now, done, now)
        else:
            worker.queue.append((now, done))

    def _begin(self, worker: _Worker, arrived: float, done: Done, now: float) -> None:
        worker.busy += 1
        takes = self.chance.expovariate(1 / worker.server.mean)
        self.at(now + takes, partial(self._end, worker, arrived, done))

    def _end(self, worker: _Worker, arrived: float, done: Done, now: float) -> None:
        done(True)
        if arrived >= self._warm_up:
            self.outcome.latencies.append(now - arrived)
        worker.busy -= 1
        if worker.queue:
            self._begin(worker, *worker.queue.popleft(), now)

    def _fail(self, arrived: float, done: Done, now: float) -> None:
        del now
        done(False)
        self.outcome.failed += arrived >= self._warm_up


def simulate(
    router: Router,
    servers: Sequence[Server],
    *,
    load: float,
    calls: int = 30_000,
    warm_up: float = 1.0,
    seed: int = 1,
) -> Outcome:
    """Send calls and return what became of those that arrived after the warm-up.

    Args:
        router: Chooses the server of each call.
        servers: The servers.
        load: Share of what as many usual servers can serve that arrives (0-1).
        calls: How many calls arrive.
        warm_up: Time at the beginning that does not count (s).
        seed: Of arrivals and service times.
    """
    run = _Run(router, servers, warm_up=warm_up, seed=seed)
    rate = load * len(servers) * SLOTS / MEAN
    when = 0.0
    for _ in range(calls):
        when += run.chance.expovariate(rate)
        run.at(when, run.arrive)
    run.play()
    return run.outcome


class OurRouter:
    """Route by a `Balancer`.

    Args:
        policy: Its policy.
        servers: How many servers there are.
        outliers: Whether real traffic ejects.
    """

    def __init__(self, policy: Policy, *, servers: int = SERVERS, outliers: bool = True) -> None:
        self.clock = FakeClock()
        self.balancer = Balancer(
            [f"server-{number}:80" for number in range(servers)],
            policy=policy,
            outliers=OutlierRules() if outliers else None,
            random=Random(7),
            clock=self.clock,
        )
        self._numbers = {each.address: n for n, each in enumerate(self.balancer.endpoints)}
        self._calls = count()

    def pass_time(self, now: float) -> None:
        """Set the balancer's clock."""
        self.clock.advance(max(0.0, now - self.clock.monotonic()))

    def route(self, now: float) -> tuple[int, Done]:
        """Pick; the key of a call is a client of its own."""
        del now
        call = next(self._calls)
        pick = self.balancer.pick(key=f"10.{call % 251}.{call % 241}.1")

        def done(succeeded: bool) -> None:  # noqa: FBT001 - the simulation's callback
            if succeeded:
                pick.success()
            else:
                pick.failure("error")

        return self._numbers[pick.endpoint.address], done


def one_slow() -> list[Server]:
    """Return ten servers, one of them ten times slower."""
    return [Server(mean=10 * MEAN)] + [Server()] * (SERVERS - 1)


def one_failing() -> list[Server]:
    """Return ten servers, one of which fails everything in a millisecond."""
    return [Server(fails_in=0.001)] + [Server()] * (SERVERS - 1)


def all_equal() -> list[Server]:
    """Return ten servers alike."""
    return [Server()] * SERVERS
