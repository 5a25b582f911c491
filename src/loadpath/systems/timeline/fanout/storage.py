"""Own the ring file of one shard: one writer at a time, a new file when the old cannot go on."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loadpath.core.errors import LoadpathError
from loadpath.systems.timeline.fanout.fence import fence
from loadpath.systems.timeline.fanout.log import LogPosition
from loadpath.systems.timeline.fanout.ringfile import (
    WORD,
    Geometry,
    Header,
    RingFile,
    RingFileError,
)

LET_GO: Final = 5.0


class SecondWriterError(LoadpathError, RuntimeError):
    """Refuse to write to rings that another process writes to."""


@contextmanager
def only_writer(folder: Path, geometry: Geometry) -> Iterator[None]:
    """Keep other writers of this shard out until the block ends or the process dies.

    Args:
        folder: Where the ring files are; made when missing.
        geometry: Which shard.

    Raises:
        SecondWriterError: There is one already.
        RingFileError: The folder cannot be used.
    """
    path = geometry.path(folder).with_suffix(".lock")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RingFileError(
            f"the folder for rings {folder} cannot be used ({error.strerror}): "
            "set `rings` to a folder that this user may write to"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SecondWriterError(
                f"shard {geometry.shard} has a writer already (it holds {path}): "
                "stop that one first, or start another shard"
            ) from error
        yield
    finally:
        os.close(descriptor)


def reopen(folder: Path, geometry: Geometry, log: LogPosition) -> RingFile | None:
    """Return the file an earlier writer left, None when it cannot be gone on with.

    Args:
        folder: Where the ring files are.
        geometry: What it must hold.
        log: What the record's log holds now.
    """
    file = RingFile.open(folder, geometry, write=True)
    if file is None or not log.continues(file.record, int(file.header[Header.APPLIED])):
        return None
    return file


def replace(folder: Path, geometry: Geometry, log: LogPosition) -> RingFile:
    """Return a new empty file that is not ready; readers of an old one are told to let it go.

    Args:
        folder: Where the ring files are.
        geometry: What it shall hold.
        log: What the record's log holds now.

    Raises:
        RingFileError: There is too little room for it.
    """
    path = geometry.path(folder)
    if not path.exists():
        return RingFile.create(folder, geometry, log.record)
    _retire(path)
    path.unlink()
    deadline = time.monotonic() + LET_GO
    while True:
        try:
            return RingFile.create(folder, geometry, log.record)
        except RingFileError:
            # The memory of a retired file comes back only when its last reader has let it go.
            if time.monotonic() > deadline:
                raise
            time.sleep(LET_GO / 50)


def make_ready(file: RingFile, log: LogPosition) -> None:
    """Let readers see a new file.

    Args:
        file: The file, filled with what a snapshot shows.
        log: The position of that snapshot.
    """
    file.header[Header.APPLIED] = log.last
    fence()
    file.header[Header.READY] = 1


def _retire(path: Path) -> None:
    """Mark any ring file as replaced, whatever its geometry."""
    with path.open("r+b") as file:
        file.seek(Header.RETIRED * WORD)
        file.write((1).to_bytes(WORD, sys.byteorder))
