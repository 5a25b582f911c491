"""Callers that are cancelled at whatever await: no answer goes astray, and nothing leaks."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from loadpath.core.errors import LoadpathError
from loadpath.http import ConnectionPool, Origin, PoolLimits, Request, Response, Timeouts
from tests.faults.http.servers import echoing, none_open, saying, serving

WAYS = [b"", b"chunked", b"slow", b"close", b"large", b"none"]


async def body(pieces: int) -> AsyncIterator[bytes]:
    """Give a body piece by piece."""
    for n in range(pieces):
        await asyncio.sleep(0)
        yield b"%d" % n


async def ask(pool: ConnectionPool, origin: Origin, random: Random, number: int) -> None:
    """Send one request of some kind; whatever comes must be the answer to it."""
    path, way = b"/%d" % number, random.choice(WAYS)
    sent = random.choice([None, b"whole", body(3)])
    method = b"GET" if sent is None else b"PUT"
    request = Request(method, path + b"?" + way, body=sent)
    async with await pool.request(origin, request) as response:
        if random.random() < 0.2:
            return  # leave it unread
        came = await response.read()
        assert came == path * (20_000 if way == b"large" else 1)


async def rounds_of(steps: int) -> None:
    """Let the loop turn this many times."""
    for _ in range(steps):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(4))
async def test_cancelled_anywhere(seed: int) -> None:
    """A thousand callers a seed share four places; most are cancelled after a few turns."""
    await storm(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 3_100))
async def test_cancelled_anywhere_for_long(seed: int) -> None:
    """The same with three million callers."""
    await storm(seed)


async def storm(seed: int) -> None:
    """Let callers ask and be cancelled; no answer goes astray, nothing is left."""
    random = Random(seed)
    before = asyncio.all_tasks()
    async with echoing() as origin:
        limits = PoolLimits(connections=4, waiting=1_000)
        async with ConnectionPool(limits=limits, timeouts=Timeouts(total=60.0, pool=60.0)) as pool:
            for wave in range(25):
                tasks = [
                    asyncio.create_task(ask(pool, origin, random, 100 * wave + n))
                    for n in range(40)
                ]
                for task in random.sample(tasks, 30):
                    await rounds_of(random.randrange(8))
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                for each in ended:
                    assert each is None or isinstance(
                        each, (LoadpathError, asyncio.CancelledError)
                    ), each
            after = pool.snapshot()
            assert after.waiting == 0
            assert after.connections == after.idle <= 4
            assert after.requests >= 700
            await ask(pool, origin, Random(5), 1)  # the pool works on
        assert pool.snapshot().connections == 0
        await none_open()
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "new"])
@pytest.mark.parametrize("way", [b"", b"chunked", b"close", b"large"])
async def test_cancelled_after_each_turn(way: bytes, kept: bool) -> None:  # noqa: FBT001 (a table's column)
    """One caller, cancelled after no turn of the loop, after one, two, … until it ends by itself.

    Whatever it was waiting for, the next caller gets its own answer over the only place.
    """
    async with echoing() as origin, ConnectionPool(limits=PoolLimits(connections=1)) as pool:
        for turns in range(200):
            if not kept:
                pool.evict(origin)
            sent = body(3) if turns % 2 else b"whole"
            request = Request(b"PUT", b"/%d?" % turns + way, body=sent)
            task = asyncio.create_task(whole(pool, origin, request))
            await rounds_of(turns)
            task.cancel()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            check = await whole(pool, origin, Request(b"GET", b"/check"))
            assert check == b"/check"
            assert pool.snapshot().connections == pool.snapshot().idle == 1
            if isinstance(ended, bytes) and turns % 2:
                break
        else:
            pytest.fail("it never ended by itself")
        assert turns > 3


async def whole(pool: ConnectionPool, origin: Origin, request: Request) -> bytes:
    """Return the whole body of an answer."""
    async with await pool.request(origin, request) as response:
        return await response.read()


async def test_a_cancelled_reader_closes_its_connection() -> None:
    """A body half read is given up with its connection, and the place is free."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    async with serving(saying(answer, then="hang")) as origin, ConnectionPool() as pool:
        response = await pool.request(origin, Request(b"GET", b"/"))
        reading = asyncio.create_task(response.read())
        await rounds_of(5)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert pool.snapshot().connections == 0


async def test_a_cancelled_sender_is_stopped() -> None:
    """A caller that is cancelled while its body is sent leaves no task behind."""
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                begun.set()
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            stopped.set()

    async with serving(saying(b"", then="hang")) as origin, ConnectionPool() as pool:
        task = asyncio.create_task(pool.request(origin, Request(b"PUT", b"/", body=endless())))
        await begun.wait()
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(ended[0], Response)
        await asyncio.wait_for(stopped.wait(), 5)
        assert pool.snapshot().connections == 0


async def test_a_place_handed_to_somebody_cancelled_is_passed_on() -> None:
    """Whoever is cancelled in the very turn in which a connection comes free does not keep it."""
    async with echoing() as origin, ConnectionPool(limits=PoolLimits(connections=1)) as pool:
        for turns in range(12):
            first, second, third = (
                asyncio.create_task(ask_slowly(pool, origin, n)) for n in range(3)
            )
            await asyncio.wait([first])
            await rounds_of(turns)
            second.cancel()
            await asyncio.gather(first, second, third, return_exceptions=True)
            assert third.exception() is None
            assert pool.snapshot().connections == pool.snapshot().idle == 1


async def ask_slowly(pool: ConnectionPool, origin: Origin, number: int) -> None:
    """Send a request whose answer takes a moment."""
    response = await pool.request(origin, Request(b"GET", b"/%d?slow" % number))
    assert await response.read() == b"/%d" % number
