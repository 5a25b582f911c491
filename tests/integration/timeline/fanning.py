"""A small world of users, the writer in this process or as its own, and what rings must show."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random

import asyncpg

from loadpath.local import Child, Plan
from loadpath.systems.timeline.fanout.log import position
from loadpath.systems.timeline.fanout.rings import TimelineReader
from loadpath.systems.timeline.fanout.writer import FanoutWriter
from loadpath.systems.timeline.record.model import NewPost
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.settings import FanoutSettings, TimelineSettings

USERS = 30
LENGTH = 60
OUT_OF_ORDER = 30
"""More ids than can be drawn, and not be committed, at once."""
_ids = count(1_000)


def settings_for(dsn: str, folder: Path, *, shards: int = 1, poll: float = 5.0) -> TimelineSettings:
    """Return settings in which only notifications make the writer quick."""
    return TimelineSettings(
        postgres=dsn,
        rings=str(folder),
        shards=shards,
        capacity=USERS,
        length=LENGTH,
        fanout=FanoutSettings(poll=poll, batch=50),
    )


def reader_of(settings: TimelineSettings) -> TimelineReader:
    """Return a reader of the rings."""
    return TimelineReader(
        Path(settings.rings),
        shards=settings.shards,
        capacity=settings.capacity,
        length=settings.length,
    )


async def add_users(dsn: str, *, users: int = USERS) -> None:
    """Sign users up who cannot log in."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO users (name) SELECT 'user' || n FROM generate_series(1, $1) AS n", users
        )
    finally:
        await connection.close()


async def post(record: Record, *authors: int) -> list[int]:
    """Write one post of each author in one transaction; return their ids."""
    posts = [NewPost(next(_ids), author, "a post") for author in authors]
    await record.publish(posts)
    return [each.id for each in posts]


async def act(record: Record, random: Random) -> None:
    """Do one random thing."""
    one, other = random.sample(range(1, USERS + 1), 2)
    chance = random.random()
    if chance < 0.7:
        await post(record, *random.sample(range(1, USERS + 1), random.randint(1, 5)))
    elif chance < 0.9:
        await record.follow(one, other)
    else:
        await record.unfollow(one, other)


@asynccontextmanager
async def writing(settings: TimelineSettings, shard: int = 0) -> AsyncIterator[FanoutWriter]:
    """Run a writer in this process."""
    async with FanoutWriter.of(settings, shard) as writer:
        work = asyncio.create_task(writer.run())
        try:
            yield writer
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


def writer_process(settings: TimelineSettings, folder: Path, *, shard: int = 0) -> Child:
    """Return the writer as a process of its own, to be started."""
    config = folder / "timeline.toml"
    config.write_text(
        f"postgres = {json.dumps(settings.postgres)}\nrings = {json.dumps(settings.rings)}\n"
        f"shards = {settings.shards}\ncapacity = {settings.capacity}\n"
        f"length = {settings.length}\n[fanout]\nbatch = {settings.fanout.batch}\n"
    )
    command = [sys.executable, "-m", "loadpath.systems.timeline.fanout", str(config), str(shard)]
    return Child(Plan(name="writer", command=command, log=folder / f"writer-{shard}.log"))


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - progress of others
            await asyncio.sleep(0.005)


async def caught_up(settings: TimelineSettings) -> TimelineReader:
    """Wait until all writers have applied all of the log; return a reader."""
    connection = await asyncpg.connect(settings.postgres)
    try:
        last = (await position(connection)).last
    finally:
        await connection.close()
    reader = await asyncio.to_thread(reader_of, settings)

    def idle(shard: int) -> bool:
        stats = reader.stats(shard)
        return stats is not None and stats.applied >= last and stats.dirty == 0

    async with asyncio.timeout(30):
        while not all(idle(shard) for shard in range(settings.shards)):
            await asyncio.to_thread(reader.refresh)
            await asyncio.sleep(0.01)
    return reader


async def check_rings(settings: TimelineSettings, record: Record) -> None:
    """Assert that every user's ring shows what the record says, each post once.

    Posts commit almost in the order of their ids, so the oldest of a full ring may differ.
    """
    reader = await caught_up(settings)
    for user in range(1, settings.capacity + 1):
        timeline = reader.newest(user)
        assert timeline is not None, f"user {user} has no ring"
        shown = timeline.ids.tolist()
        assert len(shown) == len(set(shown)), f"user {user} sees a post twice"
        expected = await record.home(user, limit=settings.length)
        sure = settings.length - OUT_OF_ORDER if timeline.full else settings.length
        assert sorted(shown, reverse=True)[:sure] == expected[:sure], f"user {user}"
        assert len(shown) == len(expected)
