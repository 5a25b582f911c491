"""Send load from a child process, so that sending and being measured do not share a loop."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from loadpath.local.errors import ServerError
from loadpath.local.process import Child, Plan
from loadpath.systems.timeline.load.report import Progress
from loadpath.systems.timeline.load.run import LoadPlan, LoadResult, OnProgress

LOOK_EVERY = 0.1
LOG_LIMIT = 1 << 30


async def run_apart(
    plans: Sequence[LoadPlan], on_progress: OnProgress, *, folder: Path
) -> list[LoadResult]:
    """Send loads one after the other from a process of their own.

    Args:
        plans: The loads.
        on_progress: Called once a second.
        folder: For the plans, the results and the process's output.

    Raises:
        ServerError: The process failed; carries its last lines.
    """
    given, results, log = folder / "plans.json", folder / "results.json", folder / "load.log"
    await asyncio.to_thread(given.write_bytes, msgspec.json.encode(plans))
    plan = Plan(
        name="load generator",
        command=[sys.executable, "-m", "loadpath.systems.timeline.load", given, results],
        log=log,
        log_limit=LOG_LIMIT,
        owner_folder=folder,
    )
    async with Child(plan) as child:
        telling = asyncio.create_task(_tell(log, on_progress))
        try:
            status = await child.wait()
            await asyncio.sleep(LOOK_EVERY)  # the last line
        finally:
            telling.cancel()
        if status != 0:
            raise ServerError(plan.name, f"failed with status {status}", log=await child.tail())
    found = await asyncio.to_thread(results.read_bytes)
    return msgspec.json.decode(found, type=list[LoadResult])


async def _tell(log: Path, on_progress: OnProgress) -> None:
    position = 0
    while True:
        await asyncio.sleep(LOOK_EVERY)
        said = await asyncio.to_thread(_read_from, log, position)
        lines, end, _ = said.rpartition(b"\n")
        position += len(lines) + len(end)
        for line in lines.splitlines():
            with suppress(msgspec.DecodeError):  # a warning of the process, not a figure
                on_progress(msgspec.json.decode(line, type=Progress))


def _read_from(log: Path, position: int) -> bytes:
    with log.open("rb") as file:
        file.seek(position)
        return file.read()
