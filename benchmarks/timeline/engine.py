"""The guide's write load, 6,000 posts/s x 200 followers, by the ring engine and by Redis lists.

Ours is the writer's own process as the service runs it, fed from the log in PostgreSQL, with the
follower lists of the live graph (some changed since it was loaded), over full rings of more than
1 GB. It is paused while posts are written to the record, and then timed until it has caught up;
its CPU time and that of every PostgreSQL process count. The peer is redis-py with hiredis and a
pipeline, `LPUSH` and `LTRIM` to 800 per follower, on a Valkey without an append-only file; client
and server count. Its lists are a tenth of ours and full as well, which spares it cache misses.
Rounds alternate, medians are told.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import numpy as np
import numpy.typing as npt
import psutil
import redis

from benchmarks.result import Result
from loadpath.local import Child, Plan, Valkey, postgres, valkey, workspace
from loadpath.systems.timeline.fanout import storage
from loadpath.systems.timeline.fanout.log import LogPosition, position
from loadpath.systems.timeline.fanout.ringfile import Geometry
from loadpath.systems.timeline.fanout.rings import TimelineReader
from loadpath.systems.timeline.record.migrate import migrate, shipped

ROUNDS = 5
USERS = 200_000
AUTHORS = 20_000
FOLLOWERS = 200
POSTS = 40_000
LIVE_FOLLOWS = 500
GEOMETRY = Geometry(shard=0, shards=1, capacity=USERS, length=800)
PEER_LISTS = 20_000
PEER_POSTS = 200
PEER_POSTS_PER_PIPELINE = 10
READS = 20_000
GUIDE_INSERTS = 1_200_000
INSERTS_PER_FULL_RING = 1_000


@dataclass(frozen=True, kw_only=True)
class Round:
    """Hold what one round measured.

    Attributes:
        inserts: Post ids stored in timelines.
        cpu: CPU time of all processes that took part (s).
        wall: Time from the first to the last (s).
    """

    inserts: int
    cpu: float
    wall: float


def run() -> list[Result]:
    """Return the engine's figures."""
    return asyncio.run(_run())


async def _run() -> list[Result]:
    graph = _followers()
    async with (
        workspace(memory_size=2 * GEOMETRY.size) as folders,
        _writer(folders.disk, folders.memory, graph) as writer,
        valkey(fsync=None) as server,
    ):
        peer = await asyncio.to_thread(_Peer, server, graph)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(await writer.round())
            theirs.append(await asyncio.to_thread(peer.round))
        reading = await asyncio.to_thread(_read, folders.memory)
    return _results(ours, theirs, reading)


def _results(ours: list[Round], theirs: list[Round], reading: float) -> list[Result]:
    return [
        Result(
            name="timeline inserts, from the log into rings",
            ours=median(each.inserts / each.cpu for each in ours),
            unit="inserts/CPU-s",
            better="higher",
            goal=15,
            peer_name="redis-py LPUSH+LTRIM pipeline",
            peer=median(each.inserts / each.cpu for each in theirs),
            stretch=100,
        ),
        Result(
            name="timeline inserts by one writer, from the log into rings",
            ours=median(each.inserts / each.wall for each in ours),
            unit="inserts/s",
            better="higher",
            goal=GUIDE_INSERTS,
            goal_on="ours",
        ),
        Result(
            name="read a full ring",
            ours=reading,
            unit="CPU us",
            better="lower",
            goal=10,
            goal_on="ours",
            stretch=3,
        ),
    ]


def _followers() -> npt.NDArray[np.int32]:
    """Return who follows each author: power-law, 200 on average, as rows (author, follower)."""
    random = np.random.default_rng(1)
    counts = np.minimum(random.pareto(1.5, AUTHORS) + 0.35, 500)
    counts = np.maximum(1, counts * FOLLOWERS / counts.mean()).astype(int)
    rows = [
        np.stack([np.full(count, author), random.choice(USERS - 1, count, replace=False) + 1])
        for author, count in enumerate(counts.tolist(), start=1)
    ]
    edges = np.concatenate(rows, axis=1).T.astype(np.int32)
    chosen: npt.NDArray[np.int32] = edges[edges[:, 0] != edges[:, 1]]
    return chosen


@dataclass(kw_only=True)
class _Writer:
    """Feed and time the fan-out writer's process."""

    process: Child
    postmaster: psutil.Process
    record: asyncpg.Connection
    reader: TimelineReader
    random: np.random.Generator
    last_post: int = INSERTS_PER_FULL_RING

    async def round(self) -> Round:
        """Write posts to the record while the writer is paused, then time it."""
        self.process.send_signal(signal.SIGSTOP)
        await self._publish()
        target = (await position(self.record)).last
        before, inserts, started = self._cpu(), self._inserts(), time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        await self.reach(target)
        return Round(
            inserts=self._inserts() - inserts,
            cpu=self._cpu() - before,
            wall=time.perf_counter() - started,
        )

    async def reach(self, offset: int) -> None:
        """Wait until the writer has applied the log up to an offset and has nothing to rewrite."""
        while not self._reached(offset):  # noqa: ASYNC110 - progress of another process
            await asyncio.sleep(0.002)

    def _reached(self, offset: int) -> bool:
        stats = self.reader.stats(0)
        return stats is not None and stats.applied >= offset and not stats.dirty

    async def _publish(self) -> None:
        for _ in range(0, POSTS, 2_000):
            ids = np.arange(self.last_post + 1, self.last_post + 2_001)
            self.last_post += 2_000
            authors = self.random.integers(1, AUTHORS + 1, len(ids))
            async with self.record.transaction():
                await self.record.execute(_POST, ids.tolist(), authors.tolist())
                await self.record.execute(_LOG, ids.tolist(), authors.tolist())

    def _inserts(self) -> int:
        stats = self.reader.stats(0)
        assert stats is not None
        return stats.inserts

    def _cpu(self) -> float:
        servers = [self.postmaster, *self.postmaster.children(recursive=True)]
        return sum(_cpu_of(process) for process in [psutil.Process(self.process.pid), *servers])


_POST = """
INSERT INTO posts (id, author_id, text)
SELECT id, author, 'a post of about the usual length, told in some words and a few more'
FROM unnest($1::bigint[], $2::integer[]) AS input (id, author)
"""

_LOG = """
INSERT INTO outbox (kind, actor_id, subject_id)
SELECT 1, author, id FROM unnest($1::bigint[], $2::integer[]) AS input (id, author)
"""


@asynccontextmanager
async def _writer(disk: Path, memory: Path, graph: npt.NDArray[np.int32]) -> AsyncIterator[_Writer]:
    """Run a record with a graph, and the writer's process over full rings."""
    async with postgres(settings={"max_wal_size": "4GB", "autovacuum": False}) as server:
        record = await asyncpg.connect(server.dsn)
        await _fill_record(record, graph)
        await asyncio.to_thread(_fill_rings, memory, await position(record))
        config = disk / "timeline.toml"
        text = (
            f"postgres = {json.dumps(server.dsn)}\nrings = {json.dumps(str(memory))}\n"
            f"capacity = {USERS}\n"
        )
        await asyncio.to_thread(config.write_text, text)
        command = [sys.executable, "-m", "loadpath.systems.timeline.fanout", str(config), "0"]
        async with Child(Plan(name="writer", command=command, log=disk / "writer.log")) as process:
            writer = _Writer(
                process=process,
                postmaster=psutil.Process(server.pid),
                record=record,
                reader=await asyncio.to_thread(_reader, memory),
                random=np.random.default_rng(2),
            )
            await writer.reach(await _follow(record))
            await writer.round()  # warms up
            yield writer
        await record.close()


async def _fill_record(record: asyncpg.Connection, graph: npt.NDArray[np.int32]) -> None:
    await migrate(record, shipped())
    await record.execute(
        "INSERT INTO users (name) SELECT 'user' || n FROM generate_series(1, $1) AS n", USERS
    )
    row = np.dtype([("n", ">i2"), ("s", ">i4"), ("a", ">i4"), ("t", ">i4"), ("b", ">i4")])
    rows = np.empty(len(graph), row)
    rows["n"], rows["s"], rows["t"] = 2, 4, 4
    rows["a"], rows["b"] = graph[:, 1], graph[:, 0]

    async def copy() -> AsyncIterator[bytes]:
        yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
        for start in range(0, len(rows), 100_000):
            yield rows[start : start + 100_000].tobytes()
        yield b"\xff\xff"

    columns = ["follower_id", "followee_id"]
    await record.copy_to_table("follows", source=copy(), columns=columns, format="binary")
    await record.execute("VACUUM ANALYZE follows")


def _fill_rings(folder: Path, log: LogPosition) -> None:
    """Make rings that are full, as after weeks, with their heads anywhere."""
    file = storage.replace(folder, GEOMETRY, log)
    file.slots[:] = np.tile(np.arange(1, GEOMETRY.physical + 1, dtype=np.uint64), GEOMETRY.rings)
    heads = np.random.default_rng(3).integers(0, GEOMETRY.physical, GEOMETRY.rings)
    file.states[:] = heads.astype(np.uint64)
    storage.make_ready(file, log)


def _reader(folder: Path) -> TimelineReader:
    return TimelineReader(folder, shards=1, capacity=USERS, length=GEOMETRY.length)


async def _follow(record: asyncpg.Connection) -> int:
    """Follow some authors while the writer runs, and return the offset of the last follow."""
    pairs = [(USERS, author) for author in range(1, LIVE_FOLLOWS + 1)]
    async with record.transaction():
        await record.executemany(
            "INSERT INTO follows VALUES ($1, $2) ON CONFLICT DO NOTHING", pairs
        )
        await record.executemany(
            "INSERT INTO outbox (kind, actor_id, subject_id) VALUES (2, $1, $2)", pairs
        )
    return (await position(record)).last


def _cpu_of(process: psutil.Process) -> float:
    """Return the CPU time that a process has used (s)."""
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return spent.user + spent.system


class _Peer:
    """Push posts to full lists on Valkey."""

    def __init__(self, server: Valkey, graph: npt.NDArray[np.int32]) -> None:
        self._client = redis.Redis.from_url(server.url)
        self._server = psutil.Process(self._client.info()["process_id"])
        self._random = np.random.default_rng(4)
        authors, self._begins = np.unique(graph[:, 0], return_index=True)
        self._lists = graph[:, 1] % PEER_LISTS
        self._post = 1_000_000_000_000
        full = [b"%d" % (self._post + n) for n in range(GEOMETRY.length)]
        for first in range(0, PEER_LISTS, 100):
            pipeline = self._client.pipeline(transaction=False)
            for number in range(first, first + 100):
                pipeline.lpush(b"timeline:%d" % number, *full)
            pipeline.execute()
        assert len(authors) == AUTHORS

    def round(self) -> Round:
        """Push posts of random authors to their followers' lists."""
        chosen = self._random.integers(0, AUTHORS - 1, PEER_POSTS).tolist()
        keys = [
            [b"timeline:%d" % number for number in self._lists[a:b].tolist()]
            for a, b in ((self._begins[n], self._begins[n + 1]) for n in chosen)
        ]
        server, cpu, wall = _cpu_of(self._server), time.process_time(), time.perf_counter()
        for first in range(0, len(keys), PEER_POSTS_PER_PIPELINE):
            self._push(keys[first : first + PEER_POSTS_PER_PIPELINE])
        return Round(
            inserts=sum(map(len, keys)),
            cpu=time.process_time() - cpu + _cpu_of(self._server) - server,
            wall=time.perf_counter() - wall,
        )

    def _push(self, posts: list[list[bytes]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for keys in posts:
            self._post += 1
            post = b"%d" % self._post
            for key in keys:
                pipeline.lpush(key, post)
                pipeline.ltrim(key, 0, GEOMETRY.length - 1)
        pipeline.execute()


def _read(folder: Path) -> float:
    """Return the CPU time of reading one full ring of a random user (us)."""
    reader = _reader(folder)
    users = np.random.default_rng(5).integers(1, USERS, READS).tolist()
    return median(_timed(reader.newest, users) for _ in range(ROUNDS))


def _timed(read: Callable[[int], object], users: list[int]) -> float:
    started = time.process_time()
    for user in users:
        read(user)
    return (time.process_time() - started) / len(users) * 1e6
