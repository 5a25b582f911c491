"""A whole timeline system at a small size, with a graph, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from loadpath.core.backoff import Backoff
from loadpath.local import workspace
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.load.population import Population
from loadpath.systems.timeline.load.seeding import Seeding, seed
from loadpath.systems.timeline.service import TimelineService, migrate_record
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings

SMALL = Population(users=2_000, followers=40, seed=5)
QUICK = Backoff(base=0.05, cap=0.2, jitter="equal")


def silent(_: Seeding) -> None:
    """Hear what happens, and say nothing."""


async def until(happened: Callable[[], bool], *, patience: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(patience):
        while not happened():  # noqa: ASYNC110 - seen from outside, nobody sets an event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def small_service(
    dsn: str,
    folder: Path,
    *,
    population: Population | None = SMALL,
    shards: int = 1,
    apis: int = 1,
    behind: bool = False,
    length: int = 200,
) -> AsyncIterator[TimelineService]:
    """Run a system over a record, with a graph unless told otherwise."""
    await migrate_record(dsn)
    if population is not None:
        await seed(dsn, population, silent)
    async with workspace() as folders:
        settings = TimelineSettings(
            postgres=dsn,
            rings=str(folders.memory / "rings"),
            shards=shards,
            capacity=3_000,
            length=length,
            api=ApiSettings(port=free_ports(1)[0]),
        )
        service = TimelineService(settings, folder=folder, apis=apis, behind=behind, backoff=QUICK)
        async with service:
            yield service
