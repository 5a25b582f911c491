"""Stop a server's processes without ending them (SIGSTOP), as a stalled machine would.

Killing and starting again is `Server.kill()` and `Server.start()` of `loadpath.local`.
"""

import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from loadpath.local.cancellation import finish, in_thread
from loadpath.local.extras import psutil
from loadpath.local.server import Server


@asynccontextmanager
async def paused(server: Server) -> AsyncIterator[None]:
    """Hold a server and its children still until the end of the block.

    A paused PostgreSQL keeps its connections and answers none of them.
    """
    held: list[psutil.Process] = []
    try:
        await in_thread(_hold, server.pid, held)
        yield
    finally:
        await finish(in_thread(_signal, held, signal.SIGCONT))


def _hold(pid: int, held: list[psutil.Process]) -> None:
    """Stop a process, then its children: stopped, it starts no further ones."""
    with suppress(psutil.NoSuchProcess):
        held.append(psutil.Process(pid))
        _signal(held, signal.SIGSTOP)
        held += held[0].children(recursive=True)
        _signal(held, signal.SIGSTOP)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
