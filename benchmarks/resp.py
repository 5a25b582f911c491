"""One connection for many tasks: a command of ours against redis-py's asyncio client.

CPU microseconds of this process for one command on a real Valkey on loopback, the server's own time
not included; rounds of ours and the peer's alternate and the median is told. The peer gets hiredis
and, for many tasks, a pool with a connection for each, which is how its users run it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from redis.asyncio import Redis

from benchmarks.result import Result
from loadpath.local import valkey
from loadpath.resp import RespClient

ROUNDS = 7
TASKS = 64
COMMANDS = 6_400
PEER_COMMANDS = 1_280
VALUE = b"x" * 100

Command = Callable[[], Awaitable[object]]


def run() -> list[Result]:
    """Return every figure of the room."""
    return asyncio.run(measured())


async def measured() -> list[Result]:
    """Measure both clients on one server."""
    async with (
        valkey(relaxed=True) as server,
        RespClient(server.url) as ours,
        Redis.from_url(server.url, max_connections=TASKS) as theirs,
    ):
        await ours.execute("SET", "key", VALUE)

        def get() -> Awaitable[object]:
            return ours.execute("GET", "key")

        def set_() -> Awaitable[object]:
            return ours.execute("SET", "key", VALUE, "PX", 30_000)

        return [
            await against("GET, one task", get, lambda: theirs.get("key"), tasks=1, goal=2.0),
            await against("GET, 64 tasks", get, lambda: theirs.get("key"), tasks=TASKS, goal=10.0),
            await against(
                "SET 100 bytes, 64 tasks",
                set_,
                lambda: theirs.set("key", VALUE, px=30_000),
                tasks=TASKS,
                goal=10.0,
            ),
        ]


async def against(name: str, ours: Command, theirs: Command, *, tasks: int, goal: float) -> Result:
    """Measure ours beside the peer's."""
    rounds = [
        (
            await microseconds(ours, tasks, COMMANDS),
            await microseconds(theirs, tasks, PEER_COMMANDS),
        )
        for _ in range(ROUNDS)
    ]
    return Result(
        name=name,
        ours=median(mine for mine, _ in rounds),
        unit="us CPU",
        better="lower",
        goal=goal,
        peer_name="redis-py asyncio with hiredis",
        peer=median(other for _, other in rounds),
    )


async def microseconds(command: Command, tasks: int, commands: int) -> float:
    """Return the CPU time of one command."""

    async def work() -> None:
        for _ in range(commands // tasks):
            await command()

    begun = time.process_time()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return (time.process_time() - begun) / commands * 1e6
