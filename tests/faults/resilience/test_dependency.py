"""A dependency behind a real socket refuses, hangs, breaks off, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Literal

import pytest

from loadpath.core.backoff import Backoff
from loadpath.core.errors import RejectedError
from loadpath.local.ports import LOOPBACK
from loadpath.resilience import (
    BreakerPolicy,
    Bulkhead,
    CircuitBreaker,
    Hedge,
    LastCalls,
    Pipeline,
    Retry,
    RetryPolicy,
    Timeout,
)

Mood = Literal["answers", "hangs", "breaks off"]


class Dependency:
    """A server on a port of its own, whose mood the test changes."""

    def __init__(self) -> None:
        self.mood: Mood = "answers"
        self.accepted = self.open = self.hanging = 0
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        try:
            while await reader.readline():
                if self.mood == "hangs":
                    self.hanging += 1
                    await reader.read()
                if self.mood != "answers":
                    return
                writer.write(b"fine\n")
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    async def ask(self) -> bytes:
        """Ask it once, on a connection of its own."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            writer.write(b"how are you\n")
            answer = await reader.readline()
            if not answer:
                raise ConnectionResetError("no answer")
            return answer
        finally:
            writer.close()

    async def idle(self) -> None:
        """Return when no connection is open any more."""
        async with asyncio.timeout(20):
            while self.open:  # noqa: ASYNC110 - the server's own bookkeeping, not an event
                await asyncio.sleep(0.001)


@pytest.fixture
async def dependency() -> AsyncIterator[Dependency]:
    """Run a dependency; nothing of it is left."""
    dependency = Dependency()
    await dependency.start()
    yield dependency
    dependency.stop()
    await dependency.idle()


def breaker(open_for: float = 3_600.0) -> CircuitBreaker:
    """Make a breaker that opens after five failures of ten."""
    policy = BreakerPolicy(
        window=LastCalls(10), open_for=open_for, half_open_calls=2, half_open_wait=30.0
    )
    return CircuitBreaker("dependency", policy)


async def many(pipeline: Pipeline, dependency: Dependency, calls: int) -> list[object]:
    """Return what calls at once came to."""
    asked = [pipeline.call(dependency.ask) for _ in range(calls)]
    return list(await asyncio.gather(*asked, return_exceptions=True))


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "breaks off"])
async def test_it_is_spared_while_down_and_used_when_back(
    dependency: Dependency, trouble: str
) -> None:
    """Whatever is wrong, few calls reach it; after the wait two do, then all again."""
    guard, bulkhead = breaker(), Bulkhead(5, queue=50)
    pipeline = Pipeline(guard, bulkhead, Timeout(20.0))
    hasty = Pipeline(guard, bulkhead, Timeout(0.1))
    assert await many(pipeline, dependency, 20) == [b"fine\n"] * 20
    guard.switch("closed")
    if trouble == "refuses":
        dependency.stop()
    else:
        dependency.mood = trouble  # type: ignore[assignment] # from the table
    for _ in range(3):
        ends = await many(hasty, dependency, 10)
        assert not any(isinstance(end, bytes) for end in ends)
    assert guard.state == "open"
    assert guard.snapshot().rejected == 20
    if trouble == "refuses":
        await dependency.start()
    dependency.mood = "answers"
    await dependency.idle()
    guard.switch("half_open")
    reached = dependency.accepted
    ends = await many(pipeline, dependency, 50)
    assert dependency.accepted - reached == sum(end == b"fine\n" for end in ends) == 2
    assert guard.state == "closed"
    assert await many(pipeline, dependency, 20) == [b"fine\n"] * 20
    assert bulkhead.snapshot().running == guard.snapshot().permits == 0


async def test_the_wait_is_over_by_itself(dependency: Dependency) -> None:
    """Opened by refusals, it tries again after its wait and closes without anybody's help."""
    guard = breaker(open_for=0.05)
    pipeline = Pipeline(guard, Timeout(20.0))
    dependency.stop()
    await many(pipeline, dependency, 10)
    assert guard.state == "open"
    await dependency.start()
    async with asyncio.timeout(20):
        while guard.state != "closed":
            await many(pipeline, dependency, 1)
            await asyncio.sleep(0.005)
    assert guard.snapshot().opened == 1


async def test_retries_bridge_a_short_outage(dependency: Dependency) -> None:
    """Refused connections are repeated until it listens again."""
    policy = RetryPolicy(tries=1_000, backoff=Backoff(base=0.005, cap=0.01))
    pipeline = Pipeline(Timeout(20.0), Retry("r", policy, idempotent=True))
    dependency.stop()
    calls = asyncio.create_task(many(pipeline, dependency, 10))
    await asyncio.sleep(0.05)
    await dependency.start()
    assert await calls == [b"fine\n"] * 10


async def test_a_hanging_connection_is_overtaken(dependency: Dependency) -> None:
    """The first connection hangs, the second answers, and the first is closed."""
    hedge, asked = Hedge(0.02), 0
    dependency.mood = "hangs"

    async def better() -> bytes:
        nonlocal asked
        asked += 1
        if asked > 1:
            while not dependency.hanging:  # noqa: ASYNC110 - the server's own bookkeeping
                await asyncio.sleep(0.001)
            dependency.mood = "answers"
        return await dependency.ask()

    assert await hedge.call(better) == b"fine\n"
    assert hedge.snapshot().won == 1
    await dependency.idle()


async def test_callers_that_go_away_leave_nothing(dependency: Dependency) -> None:
    """Hundreds are cancelled while they connect, wait, ask and retry, in every mood."""
    chance, guard, bulkhead = Random(12), breaker(open_for=0.001), Bulkhead(8, queue=8)
    pipeline = Pipeline(
        Timeout(20.0),
        Retry("r", RetryPolicy(backoff=Backoff(base=1e-4, cap=1e-3)), idempotent=True),
        guard,
        bulkhead,
        Hedge(0.005),
    )
    before = asyncio.all_tasks()
    moods: list[Mood] = ["answers", "hangs", "breaks off"]
    for _ in range(60):
        dependency.mood = chance.choice(moods)
        callers = [asyncio.create_task(pipeline.call(dependency.ask)) for _ in range(8)]
        for caller in callers:
            await asyncio.sleep(chance.uniform(0, 0.002))
            caller.cancel()
        ends = await asyncio.gather(*callers, return_exceptions=True)
        fine = (bytes, asyncio.CancelledError, ConnectionError, RejectedError)
        assert all(isinstance(end, fine) for end in ends)
        assert bulkhead.snapshot().running == bulkhead.snapshot().waiting == 0
        assert guard.snapshot().permits == 0
    dependency.mood = "answers"
    await dependency.idle()
    served = {task for task in asyncio.all_tasks() if "_serve" in repr(task)}
    assert asyncio.all_tasks() - served <= before
