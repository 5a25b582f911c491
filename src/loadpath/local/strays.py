"""Find and end servers that outlived their killed owner.

On Linux the kernel ends them with the owner; this covers what remains: macOS, and a PostgreSQL
whose postmaster was killed while a backend was busy. A server is recognised by its program's name
together with its working folder, which every server here has right below its owner's folder; a
child of our own by the folder that its environment names.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from loadpath.local.errors import ServerError
from loadpath.local.extras import psutil

SERVERS = ("postgres", "initdb", "pg_basebackup", "valkey-server", "redis-server", "nginx")
OWNER_VARIABLE = "LOADPATH_FOLDER"
POLITENESS = 6.0
PATIENCE = 10.0
LOOK_EVERY = 0.01


def stop_strays(folder: Path, *, deep: bool = False) -> int:
    """Kill what a dead owner of `folder` left running (blocking).

    Args:
        folder: The owner's folder.
        deep: Also below the folders in it; others may own those, unless all is to be removed.

    Returns:
        How many were killed.

    Raises:
        ServerError: One did not go away.
    """
    found = list(_strays(folder, deep=deep))
    # PostgreSQL ends at once on SIGQUIT too, and then frees its shared memory.
    servers = [process for process in found if _is_postgres(process)]
    _signal(servers, signal.SIGQUIT)
    _until_gone(servers, POLITENESS)
    _signal(found, signal.SIGKILL)
    alive = _until_gone(found, PATIENCE)
    if alive:
        ids = ", ".join(str(process.pid) for process in alive)
        raise ServerError(str(folder), f"processes {ids} of a killed owner do not end: kill them")
    return len(found)


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres"
    except psutil.NoSuchProcess:
        return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _until_gone(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Return which processes are still alive after the patience (s)."""
    deadline = time.monotonic() + patience
    alive = processes
    while alive and time.monotonic() < deadline:
        alive = [process for process in alive if _is_alive(process)]
        time.sleep(LOOK_EVERY if alive else 0)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that nobody collects does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _strays(folder: Path, *, deep: bool) -> Iterator[psutil.Process]:
    place = folder.resolve()
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            if _names(process, folder) or _is_server_in(process, place, deep=deep):
                yield process
        except (psutil.Error, OSError):
            continue


def _names(process: psutil.Process, folder: Path) -> bool:
    return process.environ().get(OWNER_VARIABLE) == str(folder)


def _is_server_in(process: psutil.Process, place: Path, *, deep: bool) -> bool:
    if process.name() not in SERVERS:
        return False
    working = Path(process.cwd())
    return working.parent == place or (deep and working.is_relative_to(place))
