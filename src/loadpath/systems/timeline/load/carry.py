"""Measure what the running fan-out writer carries: stop it, fill its log, let it go.

The writer is the service's own process, with the live graph and the live rings. It is frozen
(SIGSTOP) while posts are published to the record as the API publishes them, so that the log holds
more than it can empty at once; then it goes on (SIGCONT) and its own counters say how fast.
"""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import numpy as np

from loadpath.core.clock import SystemClock
from loadpath.core.errors import LoadpathError
from loadpath.core.ids import SnowflakeIds
from loadpath.local.process import Child
from loadpath.systems.timeline.fanout.ringfile import Geometry
from loadpath.systems.timeline.fanout.rings import RingStats, TimelineReader
from loadpath.systems.timeline.load.cpu import cpu_times
from loadpath.systems.timeline.load.report import EngineReport
from loadpath.systems.timeline.record.model import NewPost
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.settings import TimelineSettings

BATCH = 2_000
FEEDERS = 2
LOOK_EVERY = 0.005
PATIENCE = 120.0
TEXT = "what everybody is talking about today, in a few words that say nothing new"


class NotAppliedError(LoadpathError, TimeoutError):
    """Report a writer that did not apply the log in time."""


class Carried(NamedTuple):
    """Hold what was measured and the posts that were fed.

    Attributes:
        report: The figures.
        acknowledged: Ids of the posts.
    """

    report: EngineReport
    acknowledged: list[int]


async def carry(
    settings: TimelineSettings, writers: Sequence[Child], *, posts: int, seed: int, tag: str
) -> Carried:
    """Return how fast the writers apply a log that holds more than they can empty.

    Args:
        settings: Of the running system.
        writers: Its fan-out writers.
        posts: Posts to feed.
        seed: Picks their authors.
        tag: Begins their texts.

    Raises:
        NotAppliedError: The writers did not apply them in time.
        RecordError: The record did not take them.
    """
    for writer in writers:
        writer.send_signal(signal.SIGSTOP)
    try:
        ids = await _publish(settings.postgres, posts=posts, seed=seed, tag=tag)
        last = await _last_offset(settings.postgres)
        return Carried(await asyncio.to_thread(_measure, settings, writers, last), ids)
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGCONT)


async def _publish(dsn: str, *, posts: int, seed: int, tag: str) -> list[int]:
    async with Record.open(dsn, connections=FEEDERS, patience=60.0) as record:
        ids = SnowflakeIds(node=record.node, clock=SystemClock()).many(posts)
        users = await _users(dsn)
        authors = np.random.default_rng(seed).integers(1, users, posts, endpoint=True).tolist()
        batches = [
            [
                NewPost(ids[n], authors[n], f"{tag}-{n} {TEXT}")
                for n in range(first, min(first + BATCH, posts))
            ]
            for first in range(0, posts, BATCH)
        ]
        places = asyncio.Semaphore(FEEDERS)

        async def publish(batch: list[NewPost]) -> None:
            async with places:
                await record.publish(batch)

        async with asyncio.TaskGroup() as group:
            for batch in batches:
                group.create_task(publish(batch))
    return ids


async def _users(dsn: str) -> int:
    """Return the highest user id of the graph; users who signed up later have no followers."""
    return await _value(dsn, "SELECT max(id) FROM users WHERE password_hash IS NULL")


async def _last_offset(dsn: str) -> int:
    return await _value(dsn, 'SELECT max("offset") FROM outbox')


async def _value(dsn: str, query: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        value: int = await connection.fetchval(query)
    finally:
        connection.terminate()
    return value


def _measure(settings: TimelineSettings, writers: Sequence[Child], last: int) -> EngineReport:
    """Let the writers go and wait until they have applied everything (blocking)."""
    reader = TimelineReader(
        Path(settings.rings),
        shards=settings.shards,
        capacity=settings.capacity,
        length=settings.length,
    )
    watch = {"writers": [writer.pid for writer in writers]}
    before = _stats(reader, settings.shards)
    cpu = cpu_times(watch)["writers"]
    began = time.monotonic()
    for writer in writers:
        writer.send_signal(signal.SIGCONT)
    while any(stats.applied < last for stats in _stats(reader, settings.shards)):
        if time.monotonic() - began > PATIENCE:
            raise NotAppliedError(f"the writers did not apply the log within {PATIENCE:g} s")
        time.sleep(LOOK_EVERY)
    seconds = time.monotonic() - began
    cpu = cpu_times(watch)["writers"] - cpu
    after = _stats(reader, settings.shards)
    return EngineReport(
        posts=sum(a.posts for a in after) - sum(b.posts for b in before),
        inserts=sum(a.inserts for a in after) - sum(b.inserts for b in before),
        seconds=seconds,
        cpu_seconds=cpu,
        ring_bytes=sum(_size(settings, shard) for shard in range(settings.shards)),
    )


def _stats(reader: TimelineReader, shards: int) -> list[RingStats]:
    found = [reader.stats(shard) for shard in range(shards)]
    return [stats for stats in found if stats is not None]


def _size(settings: TimelineSettings, shard: int) -> int:
    return Geometry(
        shard=shard, shards=settings.shards, capacity=settings.capacity, length=settings.length
    ).size
