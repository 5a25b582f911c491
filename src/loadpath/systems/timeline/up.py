"""Run the whole system on servers of this machine, with data that stays.

Clients meet a gateway; behind it are the HTTP processes, so that one that ends is not noticed.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from loadpath.local import postgres, workspace
from loadpath.local.ports import checked_port
from loadpath.local.programs import Source
from loadpath.systems.timeline.fanout.ringfile import WORD, Geometry
from loadpath.systems.timeline.preflight import NoRoomError, check_disk, check_port, check_record
from loadpath.systems.timeline.service import TimelineService, check_apis
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings

LENGTH: Final = 800
MOST_RINGS: Final = 1_000_000
FILLED: Final = 0.5
"""Share of the free memory that rings may fill once every user has one."""
OTHER_CONNECTIONS: Final = 100
"""Connections to the record beside those of the HTTP processes: the writer's, and guests'."""


class UpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Say what to run.

    Attributes:
        data: Folder of the record, the settings and the logs.
        postgres: DSN of a PostgreSQL that runs already; None starts one.
        port: Where to answer HTTP.
        apis: How many HTTP processes are behind the gateway.
        binaries: Where the programs of a PostgreSQL of its own are.
    """

    data: Path
    postgres: str | None = None
    port: int = 8000
    apis: int = 2
    binaries: Source = "wheel"

    def __post_init__(self) -> None:
        checked_port(self.port)
        check_apis(self.apis)
        if self.postgres is not None and self.binaries != "wheel":
            raise ValueError("postgres runs already, so binaries finds nothing to start")


@asynccontextmanager
async def up(plan: UpPlan) -> AsyncIterator[TimelineService]:
    """Run the system until the block ends; the record stays in a folder and is found again.

    Rings are a view of the record: they are made anew at each start.

    Args:
        plan: What to run.

    Raises:
        FolderError: A record of its own would be in memory, or the folder cannot be used.
        FolderInUseError: Another process has the system up in this folder.
        ProgramMissingError: PostgreSQL is not there; says what to install.
        ServerError: A server or process did not come up; carries its last lines.
        NoRoomError: There is too little memory for rings.
        PortInUseError: The port cannot be listened on.
        WrongDsnError: The address of the record does not read as one.
        NoRecordError: The record cannot be reached or does not let us in.
    """
    check_port(plan.port)
    if plan.postgres is None:
        await asyncio.to_thread(check_disk, plan.data)
    else:
        await check_record(plan.postgres)
    async with AsyncExitStack() as owned:
        folders = await owned.enter_async_context(workspace(plan.data))
        dsn, record, api = plan.postgres, None, ApiSettings(port=plan.port)
        if dsn is None:
            most = plan.apis * api.connections + OTHER_CONNECTIONS
            record = await owned.enter_async_context(
                postgres(
                    data=folders.disk / "postgres",
                    settings={"max_connections": most},
                    binaries=plan.binaries,
                )
            )
            dsn = record.dsn
        room = await asyncio.to_thread(shutil.disk_usage, folders.memory)
        settings = TimelineSettings(
            postgres=dsn,
            rings=str(folders.memory / "rings"),
            capacity=rings_for(room.free),
            length=LENGTH,
            api=api,
        )
        service = TimelineService(
            settings, folder=folders.disk, apis=plan.apis, behind=True, record=record
        )
        yield await owned.enter_async_context(service)


def rings_for(free: int) -> int:
    """Return how many users may have a ring; later ones are read from the record.

    Args:
        free: Room in the rings' folder (bytes).

    Raises:
        NoRoomError: There is room for none.
    """
    ring = Geometry(shard=0, shards=1, capacity=1, length=LENGTH).physical * WORD + WORD
    rings = min(MOST_RINGS, int(free * FILLED) // ring)
    if rings < 1:
        raise NoRoomError(f"the rings need memory, and only {free:,} bytes are free: free some")
    return rings
