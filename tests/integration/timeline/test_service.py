"""Behaviour of the supervisor: the system comes up, stays up, and goes without a trace."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from loadpath.core.settings import load
from loadpath.local.errors import ServerError
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.load.client import Client
from loadpath.systems.timeline.service import ServiceFailedError, TimelineService
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings
from tests.integration.timeline.services import QUICK, small_service, until


async def test_every_process_reads_the_settings_that_were_given(
    record_dsn: str, tmp_path: Path
) -> None:
    """The file says what the caller said, and only its owner may read it: it holds a password."""
    async with small_service(record_dsn, tmp_path, population=None, shards=2, apis=2) as service:
        assert await asyncio.to_thread(load, service.config, TimelineSettings) == service.settings
        assert (await asyncio.to_thread(service.config.stat)).st_mode & 0o077 == 0
        assert len({child.pid for child in service.children}) == 4
        async with Client(service.url, connections=20) as client:
            answers = await asyncio.gather(*(client.get("/ready") for _ in range(40)))
        assert {answer.status for answer in answers} == {200}


async def test_nothing_runs_after_the_block(record_dsn: str, tmp_path: Path) -> None:
    """Stopped in order, not left behind."""
    async with small_service(record_dsn, tmp_path, population=None) as service:
        pids = [child.pid for child in service.children]
        assert all(psutil.pid_exists(pid) for pid in pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_process_that_dies_is_started_again(record_dsn: str, tmp_path: Path) -> None:
    """Killed by whoever: it comes back under another process id, and answers."""
    async with small_service(record_dsn, tmp_path, population=None) as service:
        for child in service.children:
            before = child.pid
            os.kill(before, signal.SIGKILL)
            await until(lambda child=child, before=before: child.running and child.pid != before)
            await service.recovered()
        async with Client(service.url) as client:
            assert (await client.get("/health")).status == 200


async def test_a_process_that_does_not_stay_up_ends_the_service_with_its_last_words(
    record_dsn: str, tmp_path: Path
) -> None:
    """Restarting is bounded, and the block that the service runs for is ended."""
    ran: list[TimelineService] = []

    async def break_it() -> None:
        async with small_service(record_dsn, tmp_path, population=None) as service:
            ran.append(service)
            await asyncio.to_thread(service.config.write_text, 'postgres = ""\nshards = 0\n')
            await service.kill(service.writers[0])
            await asyncio.sleep(60)

    with pytest.raises(
        ServiceFailedError, match=r"(?s)failed 6 times in a row.*fanout-0: .* last lines:.*shards"
    ):
        await break_it()
    assert not any(child.running for child in ran[0].children)


async def test_a_system_that_cannot_start_says_why_and_leaves_nothing(
    record_dsn: str, tmp_path: Path
) -> None:
    """The process's own last lines are part of the error."""
    rings = tmp_path / "rings"
    await asyncio.to_thread(rings.write_text, "a file where a folder must be")
    settings = TimelineSettings(
        postgres=record_dsn, rings=str(rings), api=ApiSettings(port=free_ports(1)[0])
    )
    service = TimelineService(settings, folder=tmp_path, backoff=QUICK)
    with pytest.raises(ServerError, match=r"(?s)fanout-0: .*folder for rings"):
        async with service:
            pass
    assert not any(child.running for child in service.children)


async def test_a_cancelled_start_leaves_no_process(record_dsn: str, tmp_path: Path) -> None:
    """Ctrl-C at any moment of the start."""
    settings = TimelineSettings(
        postgres=record_dsn,
        rings=str(tmp_path / "rings"),
        capacity=10,
        api=ApiSettings(port=free_ports(1)[0]),
    )
    for pause in (0.0, 0.05, 0.2, 0.5):
        service = TimelineService(settings, folder=tmp_path)

        async def enter(service: TimelineService = service) -> None:
            async with service:
                await asyncio.sleep(30)

        task = asyncio.create_task(enter())
        await asyncio.sleep(pause)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(child.running for child in service.children)


@pytest.mark.parametrize(("wrong", "named"), [({"apis": 0}, "apis"), ({"attempts": 0}, "attempts")])
def test_a_wrong_service_names_its_argument(
    wrong: dict[str, int], named: str, tmp_path: Path
) -> None:
    """Nothing is started."""
    with pytest.raises(ValueError, match=named):
        TimelineService(TimelineSettings(postgres="", rings=""), folder=tmp_path, **wrong)
