"""Set up a whole system of its own with a generated graph, durable, and take it down again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from loadpath.local import Postgres, postgres, workspace
from loadpath.local.ports import free_ports
from loadpath.local.programs import Source
from loadpath.systems.timeline.fanout.ringfile import Geometry
from loadpath.systems.timeline.load.population import Population
from loadpath.systems.timeline.load.report import Progress
from loadpath.systems.timeline.load.seeding import Seeding, seed
from loadpath.systems.timeline.preflight import check_own
from loadpath.systems.timeline.service import TimelineService, migrate_record
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings

# As durable as ever: these only spare the bulk load from being written twice.
POSTGRES_SETTINGS: Final[dict[str, str | int | float | bool]] = {
    "shared_buffers": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_wal_size": "4GB",
}
LENGTH: Final = 800
SPARE_RINGS: Final = 10_000
"""Rings for those who sign up on the page."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Tell what begins now.

    Attributes:
        text: For people.
    """

    text: str


Event = Step | Seeding | Progress
OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Hold a running system.

    Attributes:
        service: Its processes.
        record: Its PostgreSQL.
        edges: Follows of its graph.
        folder: On a disk, for files of whoever uses it.
    """

    service: TimelineService
    record: Postgres
    edges: int
    folder: Path


async def check(population: Population, *, port: int | None = None) -> None:
    """Refuse what `stage` could not run, before anything is started.

    Args:
        population: The graph of its users.
        port: Where to answer HTTP; None for a free port.

    Raises:
        NoRoomError: There is too little disk or memory.
        PortInUseError: The port cannot be listened on.
        FolderError: No folder on a disk can be written.
    """
    rings = _rings(population).size
    await check_own(users=population.users, edges=population.edges, rings=rings, port=port)


@asynccontextmanager
async def stage(
    population: Population, tell: OnEvent, *, port: int | None = None, binaries: Source = "wheel"
) -> AsyncIterator[Stage]:
    """Run a system of its own until the block ends; nothing of it is kept.

    Args:
        population: The graph of its users.
        tell: Called with everything that happens.
        port: Where to answer HTTP; None for a free port.
        binaries: Where the programs of PostgreSQL are.

    Raises:
        ProgramMissingError: PostgreSQL is not there; says what to install.
        ServerError: A server or process did not come up; carries its last lines.
        ServiceFailedError: A process of the system did not stay up.
    """
    rings = _rings(population)
    tell(Step(text="starting PostgreSQL"))
    async with (
        workspace(memory_size=rings.size) as folders,
        postgres(
            data=folders.disk / "postgres", settings=POSTGRES_SETTINGS, binaries=binaries
        ) as record,
    ):
        tell(Step(text=str(record.facts)))
        await migrate_record(record.dsn)
        edges = (await seed(record.dsn, population, tell)).edges
        settings = TimelineSettings(
            postgres=record.dsn,
            rings=str(folders.memory / "rings"),
            capacity=rings.capacity,
            length=rings.length,
            api=ApiSettings(port=port or free_ports(1)[0]),
        )
        tell(Step(text="starting the HTTP process and the fan-out writer, which reads the graph"))
        service = TimelineService(settings, folder=folders.disk, record=record)
        async with service:
            tell(Step(text=f"the page is at {service.url}"))
            yield Stage(service=service, record=record, edges=edges, folder=folders.disk)


def _rings(population: Population) -> Geometry:
    return Geometry(shard=0, shards=1, capacity=population.users + SPARE_RINGS, length=LENGTH)
