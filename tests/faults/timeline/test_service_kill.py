"""Kill the system's processes under load: what was acknowledged is in every follower's timeline.

Ten times each, at moments that nobody chose; then every post is looked up in the record and in
every ring. PostgreSQL's own processes are killed too.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from loadpath.local import Postgres, postgres
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.load.audit import audit
from loadpath.systems.timeline.load.report import AuditReport
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult, run
from loadpath.systems.timeline.load.seeding import seed, writers_ready
from loadpath.systems.timeline.service import ServiceFailedError, TimelineService, migrate_record
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings
from loadpath.systems.timeline.up import UpPlan, up
from tests.integration.timeline.services import QUICK, SMALL, silent, small_service, until

KILLS = 10
Kill = Callable[[], Awaitable[None]]


async def loaded_while(
    service: TimelineService, kill: Kill, *, kills: int, rest: tuple[float, float]
) -> LoadResult:
    """Send load for as long as it takes to kill something so many times, and a second more."""
    random = Random(11)
    seconds = kills * sum(rest) / 2 + 2.0
    plan = LoadPlan(
        url=service.url,
        postgres=service.settings.postgres,
        posts=150,
        reads=50,
        seconds=seconds,
        deadline=20,
        probes=0,
        crowd=500,
    )
    sending = asyncio.create_task(run([plan], lambda _: None))
    await asyncio.sleep(0.5)
    for _ in range(kills):
        await kill()
        await service.recovered()
        await asyncio.sleep(random.uniform(*rest))
    (result,) = await sending
    return result


async def looked_up(service: TimelineService, result: LoadResult) -> AuditReport:
    """Look up every post of a run after everything was applied."""
    await service.recovered()
    return await audit(
        postgres=service.settings.postgres,
        url=service.url,
        acknowledged=result.acknowledged,
        tags=[result.tag],
        rings=service.settings,
        undrained=await service.drained(),
    )


def all_is_well(result: LoadResult, report: AuditReport) -> None:
    """Check that there was load, and that everything acknowledged is exactly where it belongs."""
    posts = result.report.posts
    assert posts.done > posts.scheduled * 0.9
    assert posts.done == len(result.acknowledged)
    assert posts.failed == 0, result.report.first_error
    assert report.faults == {}
    assert report.pairs > posts.done * 10


async def test_ten_killed_http_processes_lose_and_double_nothing(
    record_dsn: str, tmp_path: Path
) -> None:
    """Posts in flight are tried again under their keys; each is written once."""
    async with small_service(record_dsn, tmp_path) as service:

        async def kill() -> None:
            await service.kill(service.apis[0])

        result = await loaded_while(service, kill, kills=KILLS, rest=(0.05, 0.5))
        report = await looked_up(service, result)
    all_is_well(result, report)
    assert result.report.posts.retries > 0


async def test_ten_killed_writers_lose_and_double_nothing(record_dsn: str, tmp_path: Path) -> None:
    """Also in the middle of a batch: rings go on where each of them was."""
    async with small_service(record_dsn, tmp_path) as service:

        async def kill() -> None:
            await service.kill(service.writers[0])

        result = await loaded_while(service, kill, kills=KILLS, rest=(0.05, 0.5))
        report = await looked_up(service, result)
    all_is_well(result, report)


async def test_a_killed_record_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """PostgreSQL's postmaster dies twice; with fsync, what it acknowledged comes back."""
    async with (
        postgres(data=tmp_path / "postgres") as server,
        small_service(server.dsn, tmp_path / "service") as service,
    ):

        async def kill() -> None:
            await _kill_and_start(server)

        result = await loaded_while(service, kill, kills=2, rest=(1.0, 1.0))
        report = await looked_up(service, result)
    all_is_well(result, report)
    assert result.report.posts.retries > 0


async def _kill_and_start(server: Postgres) -> None:
    await server.kill()
    await server.start()


async def test_up_starts_its_killed_record_again(disk_path: Path) -> None:
    """Nobody is there to do it: PostgreSQL comes back by itself, with what it acknowledged."""
    async with up(UpPlan(data=disk_path / "data", port=free_ports(1)[0])) as service:
        record = service.record
        assert record is not None
        await seed(service.settings.postgres, SMALL, silent)
        assert await writers_ready(service.settings.postgres, patience=30)

        async def kill() -> None:
            before = record.pid
            os.kill(before, signal.SIGKILL)
            await until(lambda: record.running and record.pid != before)

        result = await loaded_while(service, kill, kills=2, rest=(1.0, 1.0))
        await service.recovered()
        report = await audit(
            postgres=service.settings.postgres,
            url=service.url,
            acknowledged=result.acknowledged,
            tags=[result.tag],
            rings=None,
            undrained=await service.drained(),
        )
    assert result.report.posts.done > result.report.posts.scheduled * 0.9
    assert result.report.posts.retries > 0
    assert report.faults == {}
    assert report.timelines > 20


def watching_service(server: Postgres, folder: Path, *, attempts: int = 5) -> TimelineService:
    """Return a system that watches its record, not started yet."""
    settings = TimelineSettings(
        postgres=server.dsn,
        rings=str(folder / "rings"),
        capacity=3_000,
        length=200,
        api=ApiSettings(port=free_ports(1)[0]),
    )
    return TimelineService(settings, folder=folder, record=server, backoff=QUICK, attempts=attempts)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.8])
async def test_a_record_killed_while_the_system_starts_comes_back(
    tmp_path: Path, moment: float
) -> None:
    """The processes wait for it; nobody waits for them in vain."""
    async with postgres(data=tmp_path / "postgres", relaxed=True) as server:
        await migrate_record(server.dsn)
        await seed(server.dsn, SMALL, silent)
        service = watching_service(server, tmp_path)

        async def kill() -> None:
            await until(lambda: service.writers[0].running)
            await asyncio.sleep(moment)
            os.kill(server.pid, signal.SIGKILL)
            await server.wait()

        killing = asyncio.create_task(kill())
        async with service:
            await killing
            await service.recovered()
            assert await service.drained() == 0


async def test_a_record_that_does_not_come_back_ends_the_service(tmp_path: Path) -> None:
    """In its own last words, rather than with 503 for ever."""

    async def lose_it() -> None:
        async with postgres(data=tmp_path / "postgres", relaxed=True) as server:
            service = watching_service(server, tmp_path, attempts=2)
            async with service:
                await asyncio.to_thread((server.data / "global/pg_control").unlink)
                await service.kill(server)
                await asyncio.sleep(60)

    with pytest.raises(ServiceFailedError, match=r"(?s)failed 3 times in a row.*pg_control"):
        await lose_it()
