"""Look before anything starts: is there room, is the port free, does the given record answer?

What would fail after half a minute of building a graph is refused at once, in one line that names
the option to change.
"""

import asyncio
import errno
import os
import shutil
import socket
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import psutil

from loadpath.core.errors import LoadpathError
from loadpath.local.errors import FolderError
from loadpath.local.folders import disk_base, memory_base, on_disk

GIB: Final = 1 << 30
DISK_PER_FOLLOW: Final = 100
"""Bytes of a row and its key, and of the sort that builds the key."""
DISK_PER_USER: Final = 250
DISK_AT_LEAST: Final = 512 << 20
MEMORY_PER_FOLLOW: Final = 8
"""Bytes of a follower list, and of the copy that it is sorted from."""
MEMORY_PER_USER: Final = 150
CONNECT: Final = 10.0
"""Seconds that a record may take to let us in."""
ANSWER: Final = 1.0
"""Seconds that a listener on loopback may take to let us in."""
_HOST: Final = "127.0.0.1"


class NoRoomError(LoadpathError, OSError):
    """Report a machine with too little memory or disk; the message names the option to change."""


class PortInUseError(LoadpathError, OSError):
    """Report that the asked port cannot be listened on."""


class WrongDsnError(LoadpathError, ValueError):
    """Refuse an address of PostgreSQL that does not read as one."""


class NoRecordError(LoadpathError, ConnectionError):
    """Report a PostgreSQL that cannot be reached or does not let us in."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Hold bytes, needed or free.

    Attributes:
        disk: Where the record lies (bytes).
        rings: Where the rings lie (bytes).
        memory: What processes and rings share (bytes).
    """

    disk: int
    rings: int
    memory: int


def needed(*, users: int, edges: int, rings: int) -> Room:
    """Estimate what a system of its own takes, roughly and rather too little than too much.

    Args:
        users: Users of the graph.
        edges: Follows of the graph.
        rings: Size of the ring files (bytes).
    """
    return Room(
        disk=DISK_AT_LEAST + users * DISK_PER_USER + edges * DISK_PER_FOLLOW,
        rings=rings,
        memory=rings + users * MEMORY_PER_USER + edges * MEMORY_PER_FOLLOW,
    )


def check_room(need: Room, free: Room) -> None:
    """Refuse a graph that does not fit.

    Raises:
        NoRoomError: It does not; says what is lacking.
    """
    kinds = (
        ("of disk", need.disk, free.disk),
        ("for the rings", need.rings, free.rings),
        ("of memory", need.memory, free.memory),
    )
    lacking = [
        f"{wanted / GIB:,.1f} GiB {kind} ({there / GIB:,.1f} GiB are free)"
        for kind, wanted, there in kinds
        if wanted > there
    ]
    if lacking:
        raise NoRoomError(
            f"this graph needs about {' and '.join(lacking)}: "
            "ask for fewer --users or --followers, or free some"
        )


def free_room(*, rings: int) -> Room:
    """Return what this machine has now (blocking).

    Args:
        rings: Bytes of the rings, which decide where they go.

    Raises:
        FolderError: No folder on a disk can be written.
    """
    return Room(
        disk=shutil.disk_usage(disk_base()).free,
        rings=shutil.disk_usage(memory_base(rings)).free,
        memory=psutil.virtual_memory().available,
    )


def check_disk(data: Path) -> None:
    """Refuse a folder in memory for a record that is to stay (blocking).

    Args:
        data: The folder, made or not.

    Raises:
        FolderError: It would be gone with the machine's memory.
    """
    if not on_disk(data):
        raise FolderError(
            data, "is in memory, where no post outlives the machine: name a --data on a real disk"
        )


def check_port(port: int | None) -> None:
    """Refuse a port that cannot be listened on now (blocking, for no time).

    Args:
        port: The port; None for any.

    Raises:
        PortInUseError: It is in use, or not for us.
    """
    if port is None:
        return
    refused = _refused(port)
    if refused:
        raise PortInUseError(
            f"port {port} cannot be listened on ({refused}): stop what uses it, "
            "or choose another with --port"
        )


def _refused(port: int) -> str | None:
    """Return why a port cannot be listened on, None when it can.

    Our HTTP processes share a port, so that binding it beside another system's would succeed:
    somebody who answers there counts, too. The last connections of one that ended do not.
    """
    with socket.socket() as caller:
        caller.settimeout(ANSWER)
        if caller.connect_ex((_HOST, port)) == 0:
            return os.strerror(errno.EADDRINUSE)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            return error.strerror
    return None


async def check_record(dsn: str) -> None:
    """Refuse a PostgreSQL that does not let us in.

    Args:
        dsn: Where it is.

    Raises:
        WrongDsnError: The address does not read as one.
        NoRecordError: Nobody answers there, or the answer is no.
    """
    wrong = "--postgres must look like postgresql://user:password@host:5432/database"
    if not dsn.startswith(("postgresql://", "postgres://")):
        raise WrongDsnError(wrong)
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT)
    except (asyncpg.InterfaceError, ValueError) as error:
        raise WrongDsnError(f"{wrong}: {error}") from error
    except (OSError, asyncpg.PostgresError) as error:
        said = str(error) or f"no answer within {CONNECT:g} s"
        raise NoRecordError(
            f"the PostgreSQL of --postgres does not let us in: {said}. Check that it runs, and "
            "its host, port, user, password and database"
        ) from error
    connection.terminate()


async def check_own(*, users: int, edges: int, rings: int, port: int | None = None) -> None:
    """Refuse a system of its own that this machine cannot hold, or whose port is in use.

    Args:
        users: Users of the graph.
        edges: Follows of the graph.
        rings: Size of the ring files (bytes).
        port: Where it is to answer HTTP; None for a free port.

    Raises:
        NoRoomError: There is too little disk or memory.
        PortInUseError: The port cannot be listened on.
        FolderError: No folder on a disk can be written.
    """
    check_port(port)
    free = await asyncio.to_thread(free_room, rings=rings)
    check_room(needed(users=users, edges=edges, rings=rings), free)
