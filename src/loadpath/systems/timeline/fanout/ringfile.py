"""The file that a shard's fan-out writer and all readers map into their memory.

    header (one page) | one state per ring | slots of ring 0 | slots of ring 1 | …

Every word is an aligned unsigned 64-bit integer in the machine's own byte order, so that storing
one is a single step that no crash and no other process can cut in two. A ring has `length` slots
that are shown and `SLACK` more, which are being overwritten while the others are read.

A state is `offset << 16 | head`: the log offset of the last event this ring contains, and the
slot that the next post goes to. `DIRTY` stands for a ring that is being rewritten.

The file is a view of the record and lives only as long as the machine's memory: one written
before a reboot, for another record or with another geometry is thrown away.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
import numpy.typing as npt
import psutil

from loadpath.core.errors import LoadpathError

Words = npt.NDArray[np.uint64]

MAGIC = int.from_bytes(b"lp-rings", "big")
VERSION = 1
PAGE = 4096
WORD = 8
SLACK = 32
HEAD_BITS = 16
HEAD_MASK = (1 << HEAD_BITS) - 1
DIRTY = (1 << 64) - 1
MAX_LENGTH = 32_000


class Header(IntEnum):
    """Name the words of the header; those from `APPLIED` on change while the writer runs."""

    MAGIC = 0
    VERSION = 1
    RECORD_HIGH = 2
    RECORD_LOW = 3
    BOOT_HIGH = 4
    BOOT_LOW = 5
    SHARD = 6
    SHARDS = 7
    CAPACITY = 8
    LENGTH = 9
    READY = 10
    RETIRED = 11
    APPLIED = 16
    EVENTS = 17
    POSTS = 18
    INSERTS = 19
    BATCHES = 20
    REBUILDS = 21
    DIRTY_RINGS = 22
    LAG = 23
    HEARTBEAT = 24
    PID = 25


class RingFileError(LoadpathError, OSError):
    """Report a ring file that cannot be made or used; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Say which users' rings a file holds and how long they are.

    Attributes:
        shard: Shard of this file: it holds the users with `id % shards == shard`.
        shards: Number of shards.
        capacity: Highest user id that gets a ring, over all shards.
        length: Posts that a ring shows.
    """

    shard: int
    shards: int
    capacity: int
    length: int

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.shards:
            raise ValueError(
                f"shard must be from 0 to {self.shards - 1} (there are {self.shards} shards), "
                f"not {self.shard}"
            )
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1 user, not {self.capacity}")
        if not 1 <= self.length <= MAX_LENGTH:
            raise ValueError(f"length must be from 1 to {MAX_LENGTH} posts, not {self.length}")

    @property
    def rings(self) -> int:
        """Rings in this file."""
        return self.capacity // self.shards + 1

    @property
    def physical(self) -> int:
        """Slots per ring, those being overwritten included."""
        return self.length + SLACK

    @property
    def slots_at(self) -> int:
        """Where the first slot lies in the file (bytes)."""
        states = self.rings * WORD
        return PAGE + (states + PAGE - 1) // PAGE * PAGE

    @property
    def size(self) -> int:
        """Size of the file (bytes); pages that were never written take no memory."""
        return self.slots_at + self.rings * self.physical * WORD

    def path(self, folder: Path) -> Path:
        """Return where the file of this shard lies in a folder."""
        return folder / f"shard-{self.shard:03d}.rings"


class RingFile:
    """Hold the mapping of one ring file; it is unmapped when its arrays are gone.

    Attributes:
        geometry: What the file holds.
        header: The words of the header.
        states: One state per ring.
        slots: The slots of all rings, one after the other.
        words: The whole file as words, for reading single ones quickly.
    """

    def __init__(self, geometry: Geometry, mapping: mmap.mmap) -> None:
        self.geometry = geometry
        rings, physical = geometry.rings, geometry.physical
        self.header: Words = np.frombuffer(mapping, np.uint64, PAGE // WORD)
        self.states: Words = np.frombuffer(mapping, np.uint64, rings, PAGE)
        self.slots: Words = np.frombuffer(mapping, np.uint64, rings * physical, geometry.slots_at)
        self.words = memoryview(mapping).cast("Q")

    @classmethod
    def create(cls, folder: Path, geometry: Geometry, record: UUID) -> Self:
        """Make an empty file that is not ready yet; another of this shard must be gone.

        Args:
            folder: Where to make it.
            geometry: What it shall hold.
            record: Identity of the record that it is a view of.

        Raises:
            RingFileError: The folder's file system has too little room.
        """
        _check_room(folder, geometry)
        path = geometry.path(folder)
        with _unusable(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with _unusable(path):
                os.ftruncate(descriptor, geometry.size)
                made = cls(geometry, mmap.mmap(descriptor, geometry.size))
        except RingFileError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        for word, value in _identity(geometry, record).items():
            made.header[word] = value
        return made

    @classmethod
    def open(cls, folder: Path, geometry: Geometry, *, write: bool = False) -> Self | None:
        """Map an existing file that is ready; None when there is none of this geometry.

        Args:
            folder: Where it is.
            geometry: What it must hold.
            write: Whether the mapping may be changed.

        Raises:
            RingFileError: The file is there and cannot be opened.
        """
        path = geometry.path(folder)
        try:
            with _unusable(path, unless=FileNotFoundError):
                descriptor = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if os.fstat(descriptor).st_size != geometry.size:
                return None
            access = mmap.ACCESS_WRITE if write else mmap.ACCESS_READ
            with _unusable(path):
                opened = cls(geometry, mmap.mmap(descriptor, geometry.size, access=access))
        finally:
            os.close(descriptor)
        return opened if opened.usable else None

    def allocate(self, users: int) -> None:
        """Take the memory of the users' rings now: their first posts would wait for every page.

        Args:
            users: Highest user id, over all shards.
        """
        rings = min(users // self.geometry.shards + 1, self.geometry.rings)
        self.states[:rings] |= np.uint64(0)
        self.slots[: rings * self.geometry.physical : PAGE // WORD] |= np.uint64(0)

    @property
    def usable(self) -> bool:
        """Whether the file is complete, current and of this geometry."""
        words, expected = self.words, _identity(self.geometry, self.record)
        fits = all(words[word] == value for word, value in expected.items())
        return fits and words[Header.READY] == 1 and words[Header.RETIRED] == 0

    @property
    def record(self) -> UUID:
        """Identity of the record that the file is a view of."""
        return UUID(int=self.words[Header.RECORD_HIGH] << 64 | self.words[Header.RECORD_LOW])


@contextmanager
def _unusable(path: Path, *, unless: type[OSError] = RingFileError) -> Iterator[None]:
    """Say of a file that the system refuses which one it is, and what to do."""
    try:
        yield
    except unless:
        raise
    except OSError as error:
        raise RingFileError(
            f"the ring file {path} cannot be used ({error.strerror or error}): remove it, or set "
            "`rings` to a folder of this user's own"
        ) from error


def _identity(geometry: Geometry, record: UUID) -> dict[Header, int]:
    """Return the words that say what a file is."""
    boot = _boot_identity()
    return {
        Header.MAGIC: MAGIC,
        Header.VERSION: VERSION,
        Header.RECORD_HIGH: record.int >> 64,
        Header.RECORD_LOW: record.int & DIRTY,
        Header.BOOT_HIGH: boot.int >> 64,
        Header.BOOT_LOW: boot.int & DIRTY,
        Header.SHARD: geometry.shard,
        Header.SHARDS: geometry.shards,
        Header.CAPACITY: geometry.capacity,
        Header.LENGTH: geometry.length,
    }


def _boot_identity() -> UUID:
    """Return a value that changes when the machine restarts.

    On a folder that is a real disk (macOS has no other), a power cut may keep a state and lose
    the slots before it: such a file must not be used again.
    """
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return UUID(linux.read_text().strip())
    return uuid5(NAMESPACE_OID, str(psutil.boot_time()))


def _check_room(folder: Path, geometry: Geometry) -> None:
    """Refuse a geometry whose files would not fit once all of their pages are touched.

    Writing to a mapping with no room behind it kills the process (SIGBUS), so it is too late then.
    """
    room = os.statvfs(folder)
    mine = [f for f in folder.glob("shard-*.rings*") if f.is_file()]
    held = sum(f.stat().st_blocks * 512 for f in mine)
    needed = geometry.size * geometry.shards
    free = room.f_bavail * room.f_frsize + held
    if needed > free:
        raise RingFileError(
            f"the rings of capacity={geometry.capacity} users x {geometry.length} posts need "
            f"{needed / 1e6:,.0f} MB, but the folder {folder} has room for {free / 1e6:,.0f} MB: "
            "lower `capacity` or `length`, or set `rings` to a larger memory-backed folder"
        )
