"""Callers cancelled at whatever await: picks, permits, places and connections all come back."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import ExitStack
from random import Random

import pytest

from loadpath.balance import Balancer, RoundRobin
from loadpath.core.backoff import Backoff
from loadpath.core.errors import LoadpathError
from loadpath.http import ConnectionPool, PoolLimits, Request, Timeouts
from loadpath.resilience import BreakerPolicy, Bulkhead, Hedge, RetryPolicy
from loadpath.upstream import Upstream
from tests.faults.upstream.endpoints import (
    BUSY,
    GARBAGE,
    HALF,
    OK,
    Endpoint,
    assert_nothing_held,
    refusing,
    served,
)

SOON = RetryPolicy(backoff=Backoff(base=0.0005, cap=0.002))
TIMEOUTS = Timeouts(read=0.01, pool=0.05)
ENDPOINTS = (
    [Endpoint() for _ in range(3)]
    + [Endpoint(BUSY), Endpoint(HALF, then="close"), Endpoint(HALF, then="hang")]
    + [Endpoint(b"", then="hang"), Endpoint(b"", then="close"), Endpoint(GARBAGE, then="close")]
)


async def pieces() -> AsyncIterator[bytes]:
    """Give a body piece by piece."""
    for _ in range(3):
        await asyncio.sleep(0)
        yield b"x" * 10


async def call(upstream: Upstream, random: Random) -> None:
    """Make one call of some kind, and leave its answer in some way."""
    way = random.randrange(5)
    if way == 0:
        async with upstream.stream("PUT", "/", body=pieces(), timeouts=TIMEOUTS) as response:
            await response.read_some()
    elif way == 1:
        async with upstream.stream("GET", "/", timeouts=TIMEOUTS) as response:
            async for _ in response:
                break
    else:
        method = random.choice(["GET", "GET", "POST"])
        timeout = random.choice([None, None, 0.02])
        await upstream.request(method, "/", timeouts=TIMEOUTS, timeout=timeout)


@pytest.mark.parametrize("seed", range(4))
async def test_cancelled_anywhere(seed: int) -> None:
    """A thousand callers a seed, three quarters of them cancelled after a few turns of the loop."""
    await storm(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 3_100))
async def test_cancelled_anywhere_for_long(seed: int) -> None:
    """The same with three million callers."""
    await storm(seed)


async def storm(seed: int) -> None:
    """Let callers ask and be cancelled; nothing is held at the end, and nothing runs."""
    random = Random(seed)
    before = asyncio.all_tasks()
    with ExitStack() as stack:
        nobody = stack.enter_context(refusing())
        async with served(*ENDPOINTS) as addresses:
            pool = ConnectionPool(limits=PoolLimits(connections=3, waiting=20))
            async with (
                pool,
                Upstream(
                    "orders",
                    [*addresses, nobody],
                    balancer=Balancer(policy=RoundRobin, random=Random(seed)),
                    breaker=BreakerPolicy(open_for=0.01, half_open_calls=2),
                    pool=pool,
                    retry=SOON,
                    hedge=Hedge(0.002, calls=3) if seed % 2 else None,
                    bulkhead=Bulkhead(16, queue=30),
                ) as upstream,
            ):
                for _ in range(25):
                    tasks = [asyncio.create_task(call(upstream, random)) for _ in range(40)]
                    for task in random.sample(tasks, 30):
                        for _ in range(random.randrange(12)):
                            await asyncio.sleep(0)
                        task.cancel()
                    for ended in await asyncio.gather(*tasks, return_exceptions=True):
                        right = ended is None or isinstance(
                            ended, LoadpathError | asyncio.CancelledError
                        )
                        assert right, repr(ended)
                assert_nothing_held(upstream)
                assert upstream.snapshot().calls >= 500
            assert pool.snapshot().connections == 0
    assert asyncio.all_tasks() <= before


async def test_a_waiter_for_a_place_that_is_cancelled_does_not_keep_it() -> None:
    """Whoever is cancelled in the very turn in which a place comes free passes it on."""
    async with (
        served(Endpoint()) as addresses,
        Upstream("orders", addresses, bulkhead=Bulkhead(1, queue=5)) as upstream,
    ):
        for turns in range(25):
            first, second, third = (
                asyncio.create_task(upstream.request("GET", "/")) for _ in range(3)
            )
            while not first.done():  # noqa: ASYNC110 - turn by turn
                await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([first, second, third])
            assert third.exception() is None
            assert_nothing_held(upstream)


async def test_an_answer_that_is_forgotten_holds_nothing() -> None:
    """A response that nobody reads or closes gives all back when it is collected, and warns."""
    async with (
        served(Endpoint(HALF, then="hang")) as addresses,
        Upstream("orders", addresses, bulkhead=Bulkhead(1)) as upstream,
    ):
        held: list[object] = [await upstream.send(Request(b"GET", b"/"))]
        assert upstream.snapshot().endpoints[0].in_flight == 1
        await asyncio.sleep(0)  # the step that brought it holds it, too
        with pytest.warns(ResourceWarning, match="neither read nor closed"):
            forget(held)
        assert_nothing_held(upstream)


def forget(held: list[object]) -> None:
    """Let go of what is held, cycles included."""
    held.clear()
    gc.collect()


async def test_a_cancelled_start_leaves_nothing() -> None:
    """Whoever gives up while the first set is awaited finds nothing running afterwards."""
    before = asyncio.all_tasks()
    for turns in range(8):
        upstream = Upstream("orders", Never())
        task = asyncio.create_task(upstream.__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert asyncio.all_tasks() <= before


class Never:
    """Resolve nothing, forever."""

    async def watch(self) -> AsyncIterator[object]:
        """Wait."""
        await asyncio.Event().wait()
        yield OK
