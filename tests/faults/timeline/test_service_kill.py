"""Kill the system's processes under load: what was acknowledged is in every follower's timeline.

Ten times each, at moments that nobody chose; then every post is looked up in the record and in
every ring. PostgreSQL's own processes are killed too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from loadpath.local import Postgres, postgres
from loadpath.systems.timeline.load.audit import audit
from loadpath.systems.timeline.load.report import AuditReport
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult, run
from loadpath.systems.timeline.service import TimelineService
from tests.integration.timeline.services import small_service

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
