"""Check every endpoint of a balancer again and again, beside the traffic.

One task keeps the times, each check is a task with a time limit. An endpoint has one check running
at most, so slow checks never pile up. Checks run at most `concurrency` at a time, and endpoints
whose last check failed share places of their own: however many hang, the others are checked in
time. Times are spread, so that a fleet of balancers does not ask all at once.
"""

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from heapq import heapify, heappop, heappush
from math import inf
from random import Random
from types import TracebackType
from typing import Self

from loadpath.balance.balancer import Balancer
from loadpath.balance.endpoint import Endpoint
from loadpath.balance.probes import HttpProbe, Probe

LOOK_EVERY = 1.0
"""How soon a swapped set is noticed while nothing else happens (s)."""

FIRST_WITHIN = 1.0
"""How soon a new endpoint is checked for the first time (s)."""


class ActiveChecker:
    """Report checks to a balancer, as an async context manager.

    Args:
        balancer: Whose endpoints are checked; swaps are followed.
        probe: How to check one of them.
        interval: From the begin of one check of an endpoint to the next one (s).
        timeout: Longest that a check may take (s).
        jitter: Share of the interval by which it is drawn longer or shorter (0-1).
        concurrency: Checks that run at a time; as many again for endpoints that failed last.
        random: Where chance comes from.
    """

    def __init__(
        self,
        balancer: Balancer,
        probe: Probe | None = None,
        *,
        interval: float = 10.0,
        timeout: float = 5.0,
        jitter: float = 0.1,
        concurrency: int = 64,
        random: Random | None = None,
    ) -> None:
        if not 0 < interval < inf:
            raise ValueError(f"interval must be above 0 s and finite, not {interval}")
        if not 0 < timeout < inf:
            raise ValueError(f"timeout must be above 0 s and finite, not {timeout}")
        if not 0 <= jitter <= 1:
            raise ValueError(f"jitter must be 0-1, not {jitter}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        self._balancer = balancer
        self._probe = probe or HttpProbe()
        self._interval = interval
        self._timeout = timeout
        self._jitter = jitter
        self._concurrency = concurrency
        self._random = random or Random()  # noqa: S311 - spreads checks, keeps no secret
        self._generation = -1
        self._watches: dict[str, _Watch] = {}
        self._times: list[tuple[float, int, _Watch]] = []
        self._planned = 0
        self._lanes = (_Lane(), _Lane())
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._keeper is not None:
            raise RuntimeError("the checker runs already: make another one")
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
            if not keeper.cancelled():
                keeper.result()

    @property
    def running(self) -> int:
        """Checks that run now."""
        return sum(lane.running for lane in self._lanes)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as checks:
            while True:
                self._wake.clear()
                self._follow()
                self._begin_due(checks)
                await self._until_next()

    def _follow(self) -> None:
        """Take over the balancer's set: watch what is new, drop what is gone."""
        if self._balancer.generation == self._generation:
            return
        self._generation = self._balancer.generation
        new = self._balancer.endpoints
        for address in [each for each in self._watches if each not in new]:
            self._watches.pop(address).drop()
        self._times = [each for each in self._times if not each[2].dropped]
        heapify(self._times)
        spread = min(FIRST_WITHIN, self._interval)
        for endpoint in new:
            watch = self._watches.get(endpoint.address)
            if watch is None:
                watch = self._watches[endpoint.address] = _Watch(endpoint)
                self._plan(watch, self._now() + self._random.uniform(0, spread))
            watch.endpoint = endpoint

    def _begin_due(self, checks: asyncio.TaskGroup) -> None:
        now = self._now()
        while self._times and self._times[0][0] <= now:
            watch = heappop(self._times)[2]
            self._lanes[watch.suspect].waiting.append(watch)
        for lane in self._lanes:
            while lane.waiting and lane.running < self._concurrency:
                watch = lane.waiting.popleft()
                if not watch.dropped:
                    lane.running += 1
                    watch.task = checks.create_task(self._check(watch))
                    watch.task.add_done_callback(partial(self._ended, lane))

    async def _until_next(self) -> None:
        """Wait until a check is due, one has ended, or it is time to look for a new set."""
        pause = LOOK_EVERY
        if self._times:
            pause = min(pause, max(0.0, self._times[0][0] - self._now()))
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    def _ended(self, lane: "_Lane", task: "asyncio.Task[None]") -> None:
        """Give a place back, however the check ended, and even if it never began."""
        del task
        lane.running -= 1
        self._wake.set()

    async def _check(self, watch: "_Watch") -> None:
        begun = self._now()
        reason = await self._reason(watch.endpoint)
        watch.task = None
        watch.suspect = bool(reason)
        self._balancer.on_check(watch.endpoint, reason)
        longer = 1 + self._jitter * self._random.uniform(-1, 1)
        self._plan(watch, begun + self._interval * longer)

    async def _reason(self, endpoint: Endpoint) -> str:
        """Return why the endpoint fails its check, nothing when it passes."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._probe.check(endpoint)
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - whatever a probe raises, its endpoint failed
            return str(error) or type(error).__name__
        return ""

    def _plan(self, watch: "_Watch", when: float) -> None:
        self._planned += 1
        heappush(self._times, (when, self._planned, watch))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class _Watch:
    """Follow the checks of one endpoint."""

    __slots__ = ("dropped", "endpoint", "suspect", "task")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.suspect = False
        self.task: asyncio.Task[None] | None = None
        self.dropped = False

    def drop(self) -> None:
        """End: the endpoint is gone."""
        self.dropped = True
        if self.task is not None:
            self.task.cancel()


class _Lane:
    """Hold the places of checks that run, and who waits for one."""

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[_Watch] = deque()
