"""The fan-out writer between a real record and real rings."""

import asyncio
from pathlib import Path
from random import Random

import asyncpg
import pytest

from loadpath.systems.timeline.fanout.ringfile import Geometry
from loadpath.systems.timeline.fanout.storage import SecondWriterError
from loadpath.systems.timeline.fanout.trim import report, trim
from loadpath.systems.timeline.fanout.writer import FanoutWriter
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.settings import TimelineSettings
from tests.integration.timeline.fanning import (
    LENGTH,
    USERS,
    act,
    add_users,
    caught_up,
    check_rings,
    post,
    reader_of,
    settings_for,
    until,
    writing,
)


async def _shown(user: int, settings: TimelineSettings) -> list[int]:
    reader = await caught_up(settings)
    timeline = reader.newest(user)
    assert timeline is not None
    return timeline.ids.tolist()


async def test_posts_reach_the_followers(record_dsn: str, record: Record, tmp_path: Path) -> None:
    """Those who follow, and nobody else, newest first."""
    await add_users(record_dsn)
    await record.follow(2, 1)
    settings = settings_for(record_dsn, tmp_path)
    async with writing(settings):
        first = await post(record, 1)
        second = await post(record, 1, 3)
        assert await _shown(2, settings) == [second[0], first[0]]
        assert await _shown(3, settings) == []
        await check_rings(settings, record)


async def test_follow_brings_old_posts_and_unfollow_takes_them_away(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """The ring is rewritten from the record both times."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    async with writing(settings):
        (old,) = await post(record, 1)
        await record.follow(2, 1)
        assert await _shown(2, settings) == [old]
        (new,) = await post(record, 1)
        assert await _shown(2, settings) == [new, old]
        await record.unfollow(2, 1)
        assert await _shown(2, settings) == []


async def test_users_who_sign_up_later_have_rings(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """As long as the capacity reaches; beyond it the record is asked."""
    settings = settings_for(record_dsn, tmp_path)
    async with writing(settings):
        await add_users(record_dsn, users=USERS + 2)
        for follower in (USERS, USERS + 1):
            await record.follow(follower, USERS + 2)
        (new,) = await post(record, USERS + 2)
        assert await _shown(USERS, settings) == [new]
        assert (await caught_up(settings)).newest(USERS + 1) is None


@pytest.mark.parametrize("shards", [1, 3])
async def test_cold_start_shows_what_the_record_has(
    record_dsn: str, record: Record, tmp_path: Path, shards: int
) -> None:
    """Rings made anew equal rings that were written live."""
    await add_users(record_dsn)
    random = Random(shards)
    for _ in range(150):
        await act(record, random)
    settings = settings_for(record_dsn, tmp_path, shards=shards)
    for shard in range(shards):
        async with FanoutWriter.of(settings, shard):
            pass
    await check_rings(settings, record)


async def test_random_load_on_three_shards_ends_as_the_record_says(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Posts, follows and unfollows from many tasks at once, while all writers run."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path, shards=3)
    async with writing(settings, 0), writing(settings, 1), writing(settings, 2):

        async def busy(seed: int) -> None:
            random = Random(seed)
            for _ in range(60):
                await act(record, random)

        await asyncio.gather(*[busy(seed) for seed in range(6)])
        await check_rings(settings, record)


async def test_restart_goes_on_where_it_stopped(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """What happened meanwhile is applied, and nothing is applied twice."""
    await add_users(record_dsn)
    settings, random = settings_for(record_dsn, tmp_path), Random(1)
    inserts = 0
    for _ in range(4):
        async with writing(settings):
            for _ in range(30):
                await act(record, random)
            await caught_up(settings)
        for _ in range(30):
            await act(record, random)
        stats = (await asyncio.to_thread(reader_of, settings)).stats(0)
        assert stats is not None
        assert stats.inserts > inserts  # the same file goes on counting
        inserts = stats.inserts
    async with writing(settings):
        await check_rings(settings, record)


async def test_writer_whose_events_were_trimmed_starts_anew(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Instead of missing them."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    async with writing(settings):
        await caught_up(settings)
    await post(record, 1)
    connection = await asyncpg.connect(record_dsn)
    await connection.execute(
        'UPDATE record_identity SET trimmed = (SELECT max("offset") FROM outbox)'
    )
    await connection.execute("DELETE FROM outbox")
    await connection.close()
    async with writing(settings):
        await check_rings(settings, record)


async def test_settings_that_changed_start_anew(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Another number of shards makes other rings; old ones are never read by the new settings."""
    await add_users(record_dsn)
    for _ in range(50):
        await act(record, Random(_))
    for shards in (1, 2, 1):
        settings = settings_for(record_dsn, tmp_path, shards=shards)
        for shard in range(shards):
            async with FanoutWriter.of(settings, shard):
                pass
        await check_rings(settings, record)


async def test_second_writer_of_a_shard_is_refused(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """The first one goes on undisturbed."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    async with writing(settings):
        with pytest.raises(SecondWriterError):
            async with FanoutWriter.of(settings, 0):
                pass
        (new,) = await post(record, 1)
        assert await _shown(2, settings) == [new]


async def test_shard_that_does_not_exist_is_refused(record_dsn: str, tmp_path: Path) -> None:
    """The error says which there are."""
    with pytest.raises(ValueError, match="shard must be from 0 to 1"):
        async with FanoutWriter.of(settings_for(record_dsn, tmp_path, shards=2), 2):
            pass


async def test_dirty_rings_of_a_killed_writer_are_rewritten(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """A writer may die between taking a ring out of service and rewriting it."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    await post(record, 1)
    async with FanoutWriter.of(settings, 0) as writer:
        writer.engine._rings.mark_dirty(2)
    async with writing(settings):
        await check_rings(settings, record)


async def test_log_is_trimmed_when_all_shards_have_applied_it(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Not before each shard has reported, and in bounded steps."""
    del tmp_path
    await add_users(record_dsn)
    await post(record, *[1] * 10)
    connection = await asyncpg.connect(record_dsn)
    try:
        last = await connection.fetchval('SELECT max("offset") FROM outbox')
        await report(connection, 0, last)
        assert await trim(connection, 2) == 0
        await report(connection, 1, last - 3)
        assert await trim(connection, 2, at_once=2) == last - 3
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 3
        assert await connection.fetchval("SELECT trimmed FROM record_identity") == last - 3
        assert await trim(connection, 2) == 0
        await report(connection, 1, last)
        assert await trim(connection, 2) == last
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
    finally:
        await connection.close()


async def test_running_writer_reports_and_trims(
    record_dsn: str, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the log stays short, and the writer goes on after a trim."""
    monkeypatch.setattr("loadpath.systems.timeline.fanout.writer.REPORT_EVERY", 0.05)
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    connection = await asyncpg.connect(record_dsn)
    try:
        async with writing(settings):
            for _ in range(5):
                await post(record, 1)
                await _until_trimmed(connection)
            await check_rings(settings, record)
        async with writing(settings):
            await post(record, 1)
            await check_rings(settings, record)
    finally:
        await connection.close()


async def _until_trimmed(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(10):
        while await connection.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110 - a server's
            await asyncio.sleep(0.02)


async def test_heartbeat_tells_that_the_writer_lives(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """Others can see it without asking the process."""
    del record
    settings = settings_for(record_dsn, tmp_path)
    async with writing(settings):
        reader = await asyncio.to_thread(reader_of, settings)

        def beat() -> float:
            stats = reader.stats(0)
            assert stats is not None
            return stats.heartbeat

        await until(lambda: beat() > 0)
        first = beat()
        await until(lambda: beat() > first)


async def test_rings_of_another_record_are_replaced(
    record_dsn: str, record: Record, tmp_path: Path
) -> None:
    """A folder that another system used is taken over, its content is not shown."""
    await add_users(record_dsn)
    settings = settings_for(record_dsn, tmp_path)
    await record.follow(2, 1)
    await post(record, 1)
    async with FanoutWriter.of(settings, 0):
        pass
    connection = await asyncpg.connect(record_dsn)
    await connection.execute("UPDATE record_identity SET id = gen_random_uuid()")
    await connection.execute("DELETE FROM posts")
    await connection.close()
    async with writing(settings):
        assert await _shown(2, settings) == []
    assert Geometry(shard=0, shards=1, capacity=USERS, length=LENGTH).path(tmp_path).exists()
