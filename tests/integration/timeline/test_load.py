"""Behaviour of a load run against a real system, and of looking its posts up afterwards."""

import asyncio
from pathlib import Path

import asyncpg
import msgspec
import numpy as np
import pytest

from loadpath.local.errors import ServerError
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.fanout.ringfile import Geometry
from loadpath.systems.timeline.load.apart import run_apart
from loadpath.systems.timeline.load.audit import audit
from loadpath.systems.timeline.load.carry import carry
from loadpath.systems.timeline.load.report import AuditReport, Progress
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult, run
from loadpath.systems.timeline.load.seeding import seed, writers_ready
from loadpath.systems.timeline.service import TimelineService, migrate_record
from tests.integration.timeline.services import SMALL, silent, small_service


def plan_for(service: TimelineService, **changes: object) -> LoadPlan:
    """Return a short mixed load."""
    plan = LoadPlan(
        url=service.url,
        postgres=service.settings.postgres,
        posts=60,
        reads=120,
        seconds=1.5,
        probes=30,
        crowd=300,
    )
    return msgspec.structs.replace(plan, **changes)


async def looked_up(service: TimelineService, result: LoadResult) -> AuditReport:
    """Look up every post of a run."""
    return await audit(
        postgres=service.settings.postgres,
        url=service.url,
        acknowledged=result.acknowledged,
        tags=[result.tag],
        rings=service.settings,
        undrained=await service.drained(),
        patience=1.0,
    )


async def test_a_load_is_sent_measured_and_found_again(record_dsn: str, tmp_path: Path) -> None:
    """Over two shards and two HTTP processes: all acknowledged, nothing lost, lag measured."""
    told: list[Progress] = []
    async with small_service(record_dsn, tmp_path, shards=2, apis=2) as service:
        watch = {"api": [api.pid for api in service.apis]}
        (result,) = await run([plan_for(service, watch=watch)], told.append)
        report = await looked_up(service, result)
    load = result.report
    assert load.posts.done == load.posts.scheduled == len(result.acknowledged) > 40
    assert load.reads.done == load.reads.scheduled > 100
    assert load.post.count == load.posts.done
    assert load.lag_from_ack.count > 10
    assert load.probes_unseen == 0
    assert result.cpu["api"] > 0
    assert sum(second.posts for second in told) == load.posts.done
    assert report.faults == {}
    assert report.acknowledged == len(result.acknowledged)
    assert report.rings == service.settings.capacity
    assert report.pairs > 500
    assert report.timelines > 20


async def test_a_run_of_its_own_process_finds_the_same(record_dsn: str, tmp_path: Path) -> None:
    """Progress and results come back whole, one load after the other."""
    told: list[Progress] = []
    async with small_service(record_dsn, tmp_path) as service:
        plans = [plan_for(service, title="a", seconds=1), plan_for(service, title="b", reads=0)]
        first, second = await run_apart(plans, told.append, folder=tmp_path)
    assert {progress.title for progress in told} == {"a", "b"}
    assert first.report.reads.done > 50
    assert second.report.reads.scheduled == 0
    assert second.report.posts.done == len(second.acknowledged) > 40


async def test_a_run_that_cannot_begin_says_why(record_dsn: str, tmp_path: Path) -> None:
    """Without users there is nobody to send load as."""
    await migrate_record(record_dsn)
    plan = LoadPlan(url="http://127.0.0.1:1", postgres=record_dsn)
    with pytest.raises(ServerError, match="the record has no users"):
        await run_apart([plan], print, folder=tmp_path)


async def test_a_graph_put_into_a_running_system_is_fanned_out(
    record_dsn: str, tmp_path: Path
) -> None:
    """The writers start over from the record, and posts reach the new followers."""
    async with small_service(record_dsn, tmp_path, population=None) as service:
        await seed(record_dsn, SMALL, silent)
        assert await writers_ready(record_dsn, patience=30)
        (result,) = await run([plan_for(service)], lambda _: None)
        report = await looked_up(service, result)
    assert report.faults == {}
    assert report.pairs > 500


async def test_the_audit_finds_what_was_taken_away_and_what_was_added(
    record_dsn: str, tmp_path: Path
) -> None:
    """A post deleted from the record, one written twice, and a ring that lost its slots."""
    async with small_service(record_dsn, tmp_path) as service:
        (result,) = await run([plan_for(service)], lambda _: None)
        assert (await looked_up(service, result)).clean
        connection = await asyncpg.connect(record_dsn)
        try:
            gone, again = result.acknowledged[:2]
            await connection.execute("DELETE FROM posts WHERE id = $1", gone)
            await connection.execute(
                "INSERT INTO posts SELECT (SELECT max(id) + 1 FROM posts), author_id, text "
                "FROM posts WHERE id = $1",
                again,
            )
        finally:
            await connection.close()
        wiped = await asyncio.to_thread(_wipe_one_ring, service)
        report = await looked_up(service, result)
    assert report.lost == 1
    assert report.doubled == 1
    assert report.unknown > 0
    assert report.missing >= wiped > 0
    assert report.different > 0


def _wipe_one_ring(service: TimelineService) -> int:
    """Empty the slots of the fullest ring; return how many posts it showed."""
    settings = service.settings
    geometry = Geometry(shard=0, shards=1, capacity=settings.capacity, length=settings.length)
    slots = np.memmap(
        geometry.path(Path(settings.rings)),
        np.uint64,
        "r+",
        geometry.slots_at,
        (geometry.rings, geometry.physical),
    )
    fullest = int((slots != 0).sum(1).argmax())
    shown = int((slots[fullest] != 0).sum())
    slots[fullest] = 0
    return shown


async def test_the_writer_is_measured_with_a_full_log(record_dsn: str, tmp_path: Path) -> None:
    """Every fed post is applied by the service's own writer, and found by the audit."""
    async with small_service(record_dsn, tmp_path) as service:
        pids = [writer.pid for writer in service.writers]
        carried = await carry(
            service.settings, service.writers, posts=20_000, seed=1, tag="engine-test"
        )
        report = await audit(
            postgres=record_dsn,
            url=service.url,
            acknowledged=carried.acknowledged,
            tags=["engine-test"],
            rings=service.settings,
            undrained=await service.drained(),
        )
        assert [writer.pid for writer in service.writers] == pids
    assert report.faults == {}
    assert carried.report.posts == 20_000
    assert carried.report.inserts == report.pairs
    assert 0 < carried.report.cpu_seconds < 60


async def test_what_is_never_acknowledged_is_counted_and_shown(record_dsn: str) -> None:
    """Nothing was sent, so it is rejected and not in doubt; the run ends all the same."""
    await migrate_record(record_dsn)
    await seed(record_dsn, SMALL, silent)
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    plan = LoadPlan(url=url, postgres=record_dsn, posts=60, seconds=1.0, deadline=0.3, crowd=50)
    (result,) = await run([plan], lambda _: None)
    assert result.acknowledged == []
    assert result.report.posts.rejected == result.report.posts.scheduled > 20
    assert "cannot connect" in str(result.report.first_error)
