"""A cold key, two processes, 500 tasks each: how often is the factory called? Beside aiocache."""

import asyncio
import sys
from pathlib import Path

from benchmarks.cache.stampeder import PROCESSES, TASKS
from benchmarks.result import Result
from loadpath.local import valkey

PROCESS = Path(__file__).with_name("stampeder.py")


async def stampeded() -> list[Result]:
    """Count the factory calls of ours and of aiocache's decorator."""
    async with valkey(relaxed=True) as server:
        ours = await calls_of("ours", server.url)
        theirs = await calls_of("aiocache", server.url)
    return [
        Result(
            name=f"factory calls for a cold key, {PROCESSES} processes x {TASKS} tasks", ours=ours,
            unit="calls", better="lower", goal=1, goal_on="ours",
            peer_name="aiocache @cached", peer=theirs,
        )
    ]  # fmt: skip


async def calls_of(which: str, url: str) -> int:
    """Return the factory calls of all processes."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, PROCESS, which, url, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    return sum([int((await each.communicate())[0]) for each in processes])
