"""Servers that die, stall and forget; holders that are paused; answers that come late."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from loadpath.core.backoff import Backoff
from loadpath.core.errors import RejectedError
from loadpath.local import Valkey, valkey
from loadpath.lock import (
    DistributedLock,
    LeaseLost,
    LockOptions,
    LockUnavailableError,
    StaleTokenError,
)
from loadpath.lock.fence_redis import fenced
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import Limits, RespClient
from loadpath.resp.redis import RedisCommands
from tests.faults.lock.history import Write, intruders, without_fencing
from tests.faults.resp.link import Link

HOLDER = Path(__file__).with_name("holder.py")
QUICK = Limits(connect_timeout=0.5, read_timeout=0.2)
SOON = Backoff(base=0.01, cap=0.05, jitter="equal")
SHORT = LockOptions(ttl=0.4, wait=30.0)


@asynccontextmanager
async def locks(url: str) -> AsyncIterator[tuple[DistributedLock, RespClient]]:
    """Give a lock over a connection that gives up quickly."""
    async with (
        RespClient(url, limits=QUICK, backoff=SOON) as client,
        DistributedLock(RedisLockStore(client), options=SHORT) as lock,
    ):
        yield lock, client


async def held_keys(lock: DistributedLock) -> list[str]:
    """Return what the store says is held."""
    return [held.key for held in await lock.store.held()]


async def test_a_killed_server_ends_the_section_and_the_restart_begins_a_new_one(
    server: Valkey,
) -> None:
    """The restart comes back empty; the next token is larger all the same."""
    async with locks(server.url) as (lock, _):
        with pytest.raises(LeaseLost):  # noqa: PT012 - the section
            async with lock.hold("k") as first:
                await server.kill()
                await asyncio.sleep(60)
        await server.restart()
        async with lock.hold("k") as second:
            assert second.token > first.token


async def test_a_paused_server_costs_the_lease_and_nothing_more(server: Valkey) -> None:
    """The section ends at the ttl, its release does not wait for the server."""
    async with locks(server.url) as (lock, _):
        with pytest.raises(LeaseLost, match="in time"):  # noqa: PT012 - the section
            async with lock.hold("k") as first:
                server._started().send_signal(signal.SIGSTOP)
                await asyncio.sleep(60)
        assert not server._started().status
        server._started().send_signal(signal.SIGCONT)
        async with lock.hold("k") as second:
            assert second.token > first.token


async def test_a_short_pause_costs_nothing(server: Valkey) -> None:
    """Renewals are tried again within the lease."""
    options = LockOptions(ttl=3.0, wait=30.0)
    async with locks(server.url) as (lock, _), lock.hold("k", options=options) as held:
        await asyncio.sleep(0.8)
        server._started().send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.8)
        server._started().send_signal(signal.SIGCONT)
        await asyncio.sleep(2.0)
        held.check()


async def test_a_flushed_server_is_noticed_and_tokens_still_grow(server: Valkey) -> None:
    """FLUSHALL takes lock and counter away; the clock brings the tokens on."""
    tokens = []
    async with locks(server.url) as (lock, client):
        for _ in range(5):
            with pytest.raises(LeaseLost):  # noqa: PT012 - the section
                async with lock.hold("k") as held:
                    tokens.append(held.token)
                    await client.execute("FLUSHALL")
                    await asyncio.sleep(60)
    assert all(before < after for before, after in pairwise(tokens))


async def test_a_holder_behind_a_partition_stops_in_time(server: Valkey, link: Link) -> None:
    """Its section is over when the other side gets the lock, and its late writes are refused."""
    moments: list[tuple[str, float]] = []
    loop = asyncio.get_running_loop()

    async def cut_off(lock: DistributedLock) -> int:
        try:
            async with lock.hold("k") as held:
                link.flowing.clear()
                await asyncio.sleep(60)
        except LeaseLost:
            moments.append(("ended", loop.time()))
        return held.token

    async with locks(link.url(server.url)) as (here, _), locks(server.url) as (there, client):
        cut = asyncio.create_task(cut_off(here))
        while not here.held:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        async with there.hold("k") as held:
            moments.append(("taken over", loop.time()))
            old = await cut
            await fenced(client, "r", held.token, "SET", "r", "new")
            with pytest.raises(StaleTokenError) as stale:
                await fenced(client, "r", old, "SET", "r", "old")
            assert stale.value.newest == held.token
        link.flowing.set()
    assert [what for what, _ in sorted(moments, key=lambda moment: moment[1])] == [
        "ended",
        "taken over",
    ]


async def test_an_answer_later_than_the_ttl_grants_nothing(server: Valkey, link: Link) -> None:
    """What was granted in between is not believed, and is given back."""
    patient = Limits(read_timeout=30.0)
    options = LockOptions(ttl=1.0, wait=0.0)
    async with (
        RespClient(link.url(server.url), limits=patient) as client,
        DistributedLock(RedisLockStore(client), options=options) as lock,
    ):
        await lock.release(await lock.acquire("k"))
        link.flowing.clear()
        late = asyncio.create_task(lock.acquire("k"))
        await asyncio.sleep(1.2)
        link.flowing.set()
        with pytest.raises(TimeoutError):
            await late
        await lock.release(await lock.acquire("k", options=SHORT))


async def test_cancellations_with_answers_under_way_leak_nothing(
    server: Valkey, link: Link
) -> None:
    """500 acquisitions, sections and releases, cancelled while their answers are held back."""
    chance = Random(4)
    patient = Limits(read_timeout=30.0)
    async with (
        RespClient(link.url(server.url), limits=patient) as client,
        DistributedLock(RedisLockStore(client)) as lock,
    ):

        async def section(number: int) -> None:
            async with lock.hold(f"k{number % 7}", options=LockOptions(wait=60.0)):
                await asyncio.sleep(0)

        for _ in range(10):
            tasks = [asyncio.create_task(section(number)) for number in range(50)]
            await asyncio.sleep(chance.uniform(0, 0.01))
            link.flowing.clear()
            await asyncio.sleep(chance.uniform(0, 0.01))
            for task in chance.sample(tasks, 40):
                task.cancel()
            link.flowing.set()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError | None) for one in outcomes)
        async with asyncio.timeout(30):
            while lock.snapshot().cleaning or await held_keys(lock):  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.01)
        assert lock.snapshot().waiting == 0


@pytest.mark.blocking  # redis-py reads its own version from the disk for a new connection
@pytest.mark.parametrize("replicas", [0, 1])
async def test_cancellations_through_redis_py_leak_nothing(
    server: Valkey, link: Link, replicas: int
) -> None:
    """Over its many connections, too, nothing is given back before it was granted."""
    chance = Random(7)
    async with valkey(relaxed=True) as replica, Redis.from_url(link.url(server.url)) as redis:
        await _follow(server, replica)
        store = RedisLockStore(RedisCommands(redis), replicas=replicas, replicas_within=30.0)
        async with DistributedLock(store, options=LockOptions(wait=60.0)) as lock:

            async def section(number: int) -> None:
                async with lock.hold(f"k{number % 7}"):
                    await asyncio.sleep(0)

            for _ in range(8):
                tasks = [asyncio.create_task(section(number)) for number in range(30)]
                await asyncio.sleep(chance.uniform(0, 0.02))
                link.flowing.clear()
                await asyncio.sleep(chance.uniform(0, 0.01))
                for task in chance.sample(tasks, 25):
                    task.cancel()
                await asyncio.sleep(chance.uniform(0, 0.01))
                link.flowing.set()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(one, asyncio.CancelledError | None) for one in outcomes)
            async with asyncio.timeout(30):
                while lock.snapshot().cleaning or await held_keys(lock):  # noqa: ASYNC110 - theirs
                    await asyncio.sleep(0.01)


async def _follow(server: Valkey, replica: Valkey) -> None:
    """Make a server the replica of another."""
    async with RespClient(server.url) as client:
        await client.execute("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    async with RespClient(replica.url) as client:
        await client.execute("CONFIG", "SET", "masterauth", server.password)
        await client.execute("REPLICAOF", "127.0.0.1", server.port or 0)
        async with asyncio.timeout(60):
            while b"link_status:up" not in await _info(client):  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.05)


async def _info(client: RespClient) -> bytes:
    return bytes(await client.execute("INFO", "replication"))


async def test_waiters_whose_connection_is_cut_are_served_all_the_same(
    server: Valkey, link: Link
) -> None:
    """A grant that was told to nobody is asked for after the gap."""
    done = 0

    async def section(lock: DistributedLock) -> None:
        nonlocal done
        async with lock.hold("k", options=LockOptions(ttl=10.0, wait=60.0)):
            await asyncio.sleep(0.005)
        done += 1

    async with locks(link.url(server.url)) as (lock, _):
        tasks = [asyncio.create_task(section(lock)) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(0.02)
            link.cut()
        await asyncio.gather(*tasks)
    assert done == 20


async def test_a_store_that_is_gone_refuses_and_leaves_nothing(server: Valkey) -> None:
    """Nobody waits for longer than asked, and nothing piles up."""
    async with locks(server.url) as (lock, _):
        await server.kill()
        for _ in range(20):
            with pytest.raises(LockUnavailableError) as refused:
                await lock.acquire("k", options=LockOptions(wait=0.02))
            assert isinstance(refused.value, RejectedError)
        await server.restart()
        await lock.release(await lock.acquire("k"))


async def test_a_holder_that_was_paused_is_fenced_off(server: Valkey) -> None:
    """SIGSTOP for longer than the ttl: a second holder takes over, the first one's writes bounce.

    The same history, taken by a resource without fencing as the guide's is, has two writers.
    """
    history: list[Write] = []
    async with holder(server.url, "k", 0.4) as first:
        await first.until("wrote")
        first.signal(signal.SIGSTOP)
        async with holder(server.url, "k", 30.0) as second:
            await second.until("wrote")
            first.signal(signal.SIGCONT)
            token, _ = await first.until("refused")
            await first.until("lost")
            await second.until("wrote")
        history = [*first.writes, *second.writes]
    assert token == min(write.token for write in history)
    # In the order in which the resource saw them: the first one's refusal came after the takeover.
    seen = [write for write in first.writes if write.taken]
    seen += [write for write in second.writes[:1] if write.taken]
    seen += [write for write in first.writes if not write.taken]
    seen += second.writes[1:]
    assert not intruders(seen)
    assert intruders(without_fencing(seen))


async def taken_away(lock: DistributedLock, _: RespClient) -> None:
    """Take the lock from its holder."""
    await lock.store.evict("k")


async def flushed(_: DistributedLock, client: RespClient) -> None:
    """Let the server forget locks and tokens."""
    await client.execute("FLUSHALL")


@pytest.mark.parametrize("fault", [taken_away, flushed])
async def test_histories_of_leases_that_end_early_never_have_two_writers(
    server: Valkey, fault: Callable[[DistributedLock, RespClient], Awaitable[None]]
) -> None:
    """Four slow holders write while their leases are ended, again and again.

    They are not bound to the lease, on purpose: only fencing keeps them apart.
    """
    chance = Random(5)
    history: list[Write] = []

    async def write(client: RespClient, token: int) -> None:
        await asyncio.sleep(chance.choice((0.0, 0.01, 0.15)))
        try:
            await fenced(client, "r", token, "INCR", "r")
        except StaleTokenError:
            history.append(Write(token, taken=False))
        else:
            history.append(Write(token, taken=True))

    async def work(lock: DistributedLock, client: RespClient) -> None:
        for _ in range(8):
            held = await lock.acquire("k")
            for _ in range(4):
                await write(client, held.token)
            await lock.release(held)

    async def again_and_again(lock: DistributedLock, client: RespClient) -> None:
        while True:
            await asyncio.sleep(0.05)
            await fault(lock, client)

    async with (
        locks(server.url) as (lock, client),
        valkey(relaxed=True) as other,
        RespClient(other.url) as resource,
    ):
        taking = asyncio.create_task(again_and_again(lock, client))
        await asyncio.gather(*(work(lock, resource) for _ in range(4)))
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    assert not intruders(history)
    assert intruders(without_fencing(history))
    assert sum(write.taken for write in history) > 20


class Holder:
    """A holder in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.writes: list[Write] = []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def until(self, word: str) -> tuple[int, str]:
        """Read what it says until it says a word."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
            assert line, "the holder ended"
            said, token = line.decode().split()
            if said in ("wrote", "refused"):
                self.writes.append(Write(int(token), taken=said == "wrote"))
            if said == word:
                return int(token), said


@asynccontextmanager
async def holder(
    url: str, key: str, ttl: float, env: dict[str, str] | None = None
) -> AsyncIterator[Holder]:
    """Run a holder until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, HOLDER, url, key, str(ttl), stdout=asyncio.subprocess.PIPE, env=env
    )
    try:
        yield Holder(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
