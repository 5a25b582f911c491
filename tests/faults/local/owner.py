"""Own a server until killed: run by the fault tests in a process of its own.

Usage: owner.py KIND DATA UNTIED
DATA is a folder, or `-` for a temporary one. UNTIED `yes` starts servers that do not die with
their owner, as on systems whose kernel does not offer that.
"""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from loadpath.local import (
    folders,
    nginx,
    postgres,
    postgres_cluster,
    process,
    valkey,
    valkey_cluster,
)

STARTERS = {
    "postgres": postgres,
    "valkey": valkey,
    "nginx": partial(nginx, server="location / { return 204; }"),
    "postgres_cluster": partial(postgres_cluster, replicas=1),
    "valkey_cluster": valkey_cluster,
}


def owned(kind: str, data: str) -> AbstractAsyncContextManager[object]:
    """Return the server's context manager."""
    return STARTERS[kind](data=None if data == "-" else Path(data))  # type: ignore[operator] # each takes it


async def own(kind: str, data: str) -> None:
    """Start the server, say so, and wait to be killed."""
    async with owned(kind, data) as server:
        print(getattr(server, "dsn", "up"), flush=True)  # noqa: T201 - read by the test
        await asyncio.sleep(600)


def untie() -> None:
    """Start servers without the kernel's tie to our life (signal 0 is none)."""
    tied = process.launch_command
    process.launch_command = lambda command, **given: tied(command, **{**given, "death_signal": 0})


if __name__ == "__main__":
    # Temporary folders of the test are in memory; that is disk enough for it.
    folders.SHARED_MEMORY = Path("/nowhere")
    folders.MEMORY_FILESYSTEMS = frozenset()
    if sys.argv[3] == "yes":
        untie()
    asyncio.run(own(*sys.argv[1:3]))
