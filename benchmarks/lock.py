"""What a lock costs, how fair it is, and how fast it changes hands.

Cost: CPU microseconds of this process for acquire + release on a real Valkey on loopback, the
server's own time not included; rounds of ours and the peers' alternate and the median is told. The
peers are redis-py's asyncio Lock with a connection per task, as its users run it, and the smallest
lock on valkey-glide (one connection, SET NX PX and a script that compares and deletes).

Sequential cost is wall time against the bare round trips of the simplest lock on the same
connection: SET NX PX and DELIFEQ, without token, queue, renewal or any care. On loopback, where a
trip is nothing but CPU; and over a link of about a millisecond each way, as between two zones.

Fairness: 20 workers in 3 processes' worth of locks of unequal size take turns of 5 ms on one key;
the ideal queue lets each wait for the other 19 turns. Hand-over: two connections that wait for each
other over such links; from the moment one begins to release until the other holds, in round trips
measured in the same run, by those who take turns and behind a holder who got a free lock; and after
a crashed holder, in ttls.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from statistics import median

from glide import (
    ConditionalChange,
    ExpirySet,
    ExpiryType,
    GlideClient,
    GlideClientConfiguration,
    NodeAddress,
    Script,
    ServerCredentials,
)
from redis.asyncio import Redis

from benchmarks.result import Result
from loadpath.local import valkey
from loadpath.lock import Ask, DistributedLock, LockOptions
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import Address, RespClient

ROUNDS = 7
TASKS = 64
CYCLES = 6_400
PEER_CYCLES = 640
TURN = 0.005
WORKERS = (12, 6, 2)
SECONDS = 4.0
HANDOVERS = 200
ONE_WAY = 0.001
ALONE = 50
COMPARE_AND_DELETE = Script(  # type: ignore[no-untyped-call] # the peer's
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
TTL = 0.5

Cycle = Callable[[int], Awaitable[None]]


def run() -> list[Result]:
    """Return every figure of the room."""
    return asyncio.run(measured())


async def measured() -> list[Result]:
    """Measure everything on one server."""
    async with valkey(relaxed=True) as server:
        return [
            *await costs(server.url),
            await alone(server.url, "on loopback"),
            await alone_over_a_link(server.url),
            *await fairness(server.url),
            await hand_over(server.url),
            await hand_over_of_a_free_lock(server.url),
            await after_a_crash(server.url),
        ]


async def costs(url: str) -> list[Result]:
    """Measure acquire + release beside the peer's."""
    async with (
        RespClient(url) as client,
        DistributedLock(RedisLockStore(client)) as lock,
        Redis.from_url(url, max_connections=TASKS) as redis,
        glide_client(url) as glide,
    ):

        async def ours(task: int) -> None:
            await lock.release(await lock.acquire(f"ours-{task}"))

        async def theirs(task: int) -> None:
            held = redis.lock(f"theirs-{task}", timeout=30)
            await held.acquire()
            await held.release()

        async def smallest(task: int) -> None:
            key = f"smallest-{task}"
            await glide.set(
                key,
                "somebody",
                conditional_set=ConditionalChange.ONLY_IF_DOES_NOT_EXIST,
                expiry=ExpirySet(ExpiryType.MILLSEC, 30_000),
            )
            await glide.invoke_script(COMPARE_AND_DELETE, keys=[key], args=["somebody"])

        rounds = [
            (
                await cpu(ours, TASKS, CYCLES),
                await cpu(theirs, TASKS, PEER_CYCLES),
                await cpu(smallest, TASKS, PEER_CYCLES),
            )
            for _ in range(ROUNDS)
        ]
    return [
        Result(
            name="acquire + release, 64 tasks",
            ours=median(one for one, _, _ in rounds),
            unit="us CPU",
            better="lower",
            goal=10.0,
            peer_name="redis-py asyncio Lock",
            peer=median(one for _, one, _ in rounds),
        ),
        Result(
            name="acquire + release, 64 tasks on one connection",
            ours=median(one for one, _, _ in rounds),
            unit="us CPU",
            better="lower",
            goal=5.0,
            peer_name="smallest lock on valkey-glide",
            peer=median(one for _, _, one in rounds),
        ),
    ]


async def alone_over_a_link(url: str) -> Result:
    """Measure one task beside the bare round trips, where a trip takes its time."""
    async with far(url) as there:
        return await alone(there, "2 ms away")


async def alone(url: str, where: str) -> Result:
    """Measure one task beside the bare round trips."""
    async with RespClient(url) as client, DistributedLock(RedisLockStore(client)) as lock:

        async def ours(_: int) -> None:
            await lock.release(await lock.acquire("ours"))

        async def bare(_: int) -> None:
            await client.execute("SET", "bare", "somebody", "NX", "PX", 30_000)
            await client.execute("DELIFEQ", "bare", "somebody")

        mine: list[float] = []
        others: list[float] = []
        for _ in range(3 * ROUNDS):
            mine += await wall(ours)
            others += await wall(bare)
    return Result(
        name=f"acquire + release, one task, {where}",
        ours=median(mine),
        unit="us",
        better="lower",
        goal=1 / 1.3,
        peer_name="bare SET NX PX, DELIFEQ",
        peer=median(others),
    )


async def cpu(cycle: Cycle, tasks: int, cycles: int) -> float:
    """Return the CPU time of one cycle (us)."""

    async def work(task: int) -> None:
        for _ in range(cycles // tasks):
            await cycle(task)

    begun = time.process_time()
    await asyncio.gather(*(work(task) for task in range(tasks)))
    return (time.process_time() - begun) / cycles * 1e6


async def wall(cycle: Cycle) -> list[float]:
    """Return how long each of many cycles in a row takes (us)."""
    took = []
    for _ in range(ALONE):
        begun = time.perf_counter()
        await cycle(0)
        took.append((time.perf_counter() - begun) * 1e6)
    return took


async def fairness(url: str) -> list[Result]:
    """Let workers of unequal processes take turns."""
    sections: list[int] = []
    waits: list[float] = []
    options = LockOptions(wait=60.0)
    ends = time.perf_counter() + SECONDS

    async def work(lock: DistributedLock) -> None:
        number = len(sections)
        sections.append(0)
        while time.perf_counter() < ends:
            begun = time.perf_counter()
            async with lock.hold("turns", options=options):
                waits.append(time.perf_counter() - begun)
                sections[number] += 1
                await asyncio.sleep(TURN)

    async with AsyncExitStack() as stack:
        locks = [await stack.enter_async_context(opened(url)) for _ in WORKERS]
        workers = [lock for lock, size in zip(locks, WORKERS, strict=True) for _ in range(size)]
        await asyncio.gather(*map(work, workers))
    waits.sort()
    turn = SECONDS / sum(sections)  # what a turn took, the hand-over included
    return [
        Result(
            name="sections per worker, most / least, 20 workers",
            ours=max(sections) / min(sections),
            unit="ratio",
            better="lower",
            goal=1.2,
            goal_on="ours",
        ),
        Result(
            name="p99 wait, 20 workers, in ideal queues",
            ours=waits[int(len(waits) * 0.99)] / (turn * (sum(WORKERS) - 1)),
            unit="ideal queues",
            better="lower",
            goal=2.0,
            goal_on="ours",
        ),
    ]


async def hand_over(url: str) -> Result:
    """Time from the release of one connection's holder to the grant of another's waiter."""
    moments: list[tuple[str, float]] = []
    trips: list[float] = []
    options = LockOptions(wait=60.0)

    async def work(lock: DistributedLock, client: RespClient) -> None:
        for _ in range(HANDOVERS):
            async with lock.hold("k", options=options):
                moments.append(("had", time.perf_counter()))
                await asyncio.sleep(0.002)
                begun = time.perf_counter()
                await client.execute("PING")
                moments.append(("let go", time.perf_counter()))
                trips.append(moments[-1][1] - begun)
            await asyncio.sleep(0.001)  # what this side does next is no part of the hand-over

    async with (
        far(url) as there,
        opened(there) as one,
        opened(there) as other,
        RespClient(there) as client,
    ):
        await asyncio.gather(work(one, client), work(other, client))
    took = [
        had - let_go
        for (before, let_go), (after, had) in pairwise(moments)
        if (before, after) == ("let go", "had")
    ]
    return Result(
        name="hand-over after a release, p50",
        ours=median(took) / median(trips),
        unit="round trips",
        better="lower",
        goal=2.0,
        goal_on="ours",
    )


async def hand_over_of_a_free_lock(url: str) -> Result:
    """Time the same behind a holder whom nobody waited for when it came."""
    took, trips = [], []
    async with (
        far(url) as there,
        opened(there) as one,
        opened(there) as other,
        RespClient(there) as client,
    ):
        for _ in range(HANDOVERS // 2):
            held = await one.acquire("k")
            waiting = asyncio.create_task(_had(other))
            await asyncio.sleep(6 * ONE_WAY)
            begun = time.perf_counter()
            await client.execute("PING")
            trips.append(time.perf_counter() - begun)
            let_go = time.perf_counter()
            await one.release(held)
            took.append(await waiting - let_go)
    return Result(
        name="hand-over of a lock that was free, p50",
        ours=median(took) / median(trips),
        unit="round trips",
        better="lower",
        goal=2.0,
        goal_on="ours",
    )


async def _had(lock: DistributedLock) -> float:
    """Return when a waiter had the lock."""
    async with lock.hold("k", options=LockOptions(wait=60.0)):
        return time.perf_counter()


async def after_a_crash(url: str) -> Result:
    """Time until a waiter has the lock of a holder that died without a word."""
    took = []
    options = LockOptions(ttl=TTL, wait=60.0)
    async with RespClient(url) as client, opened(url) as lock:
        store = RedisLockStore(client)
        for number in range(5):
            begun = time.perf_counter()
            await store.acquire("k", Ask(f"dead/{number}", TTL))
            async with lock.hold("k", options=options):
                took.append(time.perf_counter() - begun)
    return Result(
        name="hand-over after a crashed holder, worst of 5",
        ours=max(took) / TTL,
        unit="ttl",
        better="lower",
        goal=1.1,
        goal_on="ours",
    )


@asynccontextmanager
async def glide_client(url: str) -> AsyncIterator[GlideClient]:
    """Give the peer's client."""
    address = Address.from_url(url)
    client = await GlideClient.create(
        GlideClientConfiguration(
            [NodeAddress(address.host, address.port)],
            credentials=ServerCredentials(password=address.password),
        )
    )
    try:
        yield client
    finally:
        await client.close()


class Relay(asyncio.Protocol):
    """Pass on what comes, `ONE_WAY` later."""

    def __init__(self, other: "Relay | None" = None) -> None:
        self.other = other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        asyncio.get_running_loop().call_later(ONE_WAY, self._pass_on, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side, too."""
        del exc
        if self.other is not None:
            self.other.transport.close()

    def _pass_on(self, data: bytes) -> None:
        assert self.other is not None
        self.other.transport.write(data)


@asynccontextmanager
async def far(url: str) -> AsyncIterator[str]:
    """Give the URL of the same server at the other end of a link."""
    address = Address.from_url(url)
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[None]] = set()

    class Near(Relay):
        """The side of a client, which the link connects when it comes."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Connect the far side before anything is read."""
            super().connection_made(transport)
            self.transport.pause_reading()
            task = loop.create_task(self._connect())
            connecting.add(task)
            task.add_done_callback(connecting.discard)

        async def _connect(self) -> None:
            _, self.other = await loop.create_connection(
                lambda: Relay(self), address.host, address.port
            )
            self.transport.resume_reading()

    listener = await loop.create_server(Near, address.host, 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield url.replace(f":{address.port}/", f":{port}/")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[DistributedLock]:
    """Give a lock on a connection of its own, as a process has it."""
    async with RespClient(url) as client, DistributedLock(RedisLockStore(client)) as lock:
        yield lock
