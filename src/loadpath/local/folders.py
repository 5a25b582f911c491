"""Own folders: temporary ones that vanish with their owner, and named ones that stay.

An owner holds a lock (flock) as long as it lives, and the kernel lets go of it however the owner
ends. So a lock that can be had belongs to a dead owner, and its temporary folder, with servers
that may still run in it, is removed by whoever comes next; a living owner's is never touched.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadpath.local.cancellation import finish, in_thread, made_in_thread
from loadpath.local.errors import FolderError, FolderInUseError, ServerError
from loadpath.local.extras import psutil
from loadpath.local.shared_memory import free_shared_memory
from loadpath.local.strays import stop_strays

PREFIX = "loadpath-"
NAME_DIGITS = 8
LOCK_SUFFIX = ".lock"
LOCK_NAME = ".loadpath.lock"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's memory file system, not a temporary name
MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})
OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Hold a folder until released.

    Attributes:
        folder: The folder.
        lock: The locked file.
        descriptor: Its open descriptor; closing it lets go.
        temporary: Whether the folder is removed on release.
    """

    folder: Path
    lock: Path
    descriptor: int
    temporary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Offer two folders of our own.

    Attributes:
        disk: On a real disk, or where the caller said: what must last.
        memory: Memory-backed where the machine has that: what can be derived again.
        memory_backed: Whether `memory` really is.
    """

    disk: Path
    memory: Path
    memory_backed: bool


@asynccontextmanager
async def workspace(data: Path | None = None, *, memory_size: int = 0) -> AsyncIterator[Workspace]:
    """Own a folder on disk and one in memory until the end of the block.

    Args:
        data: The disk folder, kept afterwards; None for a temporary one on a real disk.
        memory_size: Bytes that the memory folder must have room for; with less room there it
            falls back to the temporary folder.

    Raises:
        FolderInUseError: Another living process owns `data`.
        FolderError: A folder cannot be made or used.
    """
    async with (
        owned_folder(data) as disk,
        owned_folder(None, base=partial(memory_base, memory_size)) as memory,
    ):
        backed = not await in_thread(on_disk, memory)
        yield Workspace(disk=disk, memory=memory, memory_backed=backed)


@asynccontextmanager
async def owned_folder(
    data: Path | None, *, base: Callable[[], Path] | None = None
) -> AsyncIterator[Path]:
    """Own one folder: the named one, which stays, or a temporary one.

    Args:
        data: The named folder; None for a temporary one.
        base: Finds where a temporary one is made (blocking); a real disk by default.
    """
    claim = await made_in_thread(partial(_claim, data, base or disk_base), undo=release)
    try:
        yield claim.folder
    finally:
        await finish(in_thread(release, claim))


def claim_named(folder: Path) -> Claim:
    """Claim a named folder, made if missing; children of a killed owner are ended (blocking).

    Raises:
        FolderInUseError: Another living process owns it.
        FolderError: It cannot be made or used.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - symlinks are the user's own choice
    lock = folder / LOCK_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, OPEN_LOCK, 0o600)
    except OSError as error:
        raise FolderError(folder, f"cannot hold data: {error}; name another folder") from error
    if not _locked(descriptor):
        owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise FolderInUseError(
            folder, f"is in use by process {owner}: stop that, or name another folder"
        )
    claim = Claim(folder=folder, lock=lock, descriptor=descriptor, temporary=False)
    try:
        _sign(descriptor)
        stop_strays(folder)
    except BaseException:
        release(claim)
        raise
    return claim


def claim_temporary(base: Path) -> Claim:
    """Claim a new temporary folder below `base` (blocking).

    Raises:
        FolderError: It cannot be made.
    """
    while True:
        folder = base / f"{PREFIX}{secrets.token_hex(NAME_DIGITS // 2)}"
        lock = folder.with_suffix(LOCK_SUFFIX)
        try:
            descriptor = os.open(lock, OPEN_LOCK | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise FolderError(base, f"cannot hold a temporary folder: {error}") from error
        if _locked(descriptor) and _same_file(descriptor, lock):
            break
        # A sweeper took the lock file for a dead owner's between our opening and locking it.
        os.close(descriptor)
    claim = Claim(folder=folder, lock=lock, descriptor=descriptor, temporary=True)
    try:
        _sign(descriptor)
        folder.mkdir(mode=0o700)
    except OSError as error:
        release(claim)
        raise FolderError(base, f"cannot hold a temporary folder: {error}") from error
    return claim


def release(claim: Claim) -> None:
    """Let go of a folder; a temporary one is removed (blocking)."""
    try:
        if claim.temporary:
            _remove(claim.folder, claim.lock)
    finally:
        os.close(claim.descriptor)


def sweep() -> list[Path]:
    """Remove the temporary folders of dead owners, ending what runs in them (blocking).

    Returns:
        The folders removed.
    """
    removed = []
    for base in {*_disk_candidates(), SHARED_MEMORY}:
        for lock in base.glob(f"{PREFIX}{'[0-9a-f]' * NAME_DIGITS}{LOCK_SUFFIX}"):
            with suppress(OSError, ServerError):
                folder = _swept(lock)
                if folder is not None:
                    removed.append(folder)
    return removed


def on_disk(path: Path) -> bool:
    """Return whether a path, there or not, is on a real disk rather than in memory (blocking)."""
    path = path.resolve()
    mounts = [
        mount for mount in psutil.disk_partitions(all=True) if path.is_relative_to(mount.mountpoint)
    ]
    # The last of several mounts on one point is the one that shows.
    nearest = max(enumerate(mounts), key=lambda each: (len(each[1].mountpoint), each[0]))[1]
    return nearest.fstype not in MEMORY_FILESYSTEMS


def disk_base() -> Path:
    """Return where temporary folders go that must be on a real disk (blocking).

    Raises:
        FolderError: No such folder can be written.
    """
    candidates = _disk_candidates()
    for base in candidates:
        if os.access(base, os.W_OK | os.X_OK) and on_disk(base):
            return base
    raise FolderError(candidates[0], "is no writable folder on a real disk: name one for the data")


def memory_base(size: int = 0) -> Path:
    """Return where memory-backed temporary folders go (blocking).

    Args:
        size: Bytes that must be free there.

    Returns:
        Shared memory where the machine has enough of it, else the usual temporary folder.
    """
    if os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
        free = shutil.disk_usage(SHARED_MEMORY).free
        if free >= size:
            return SHARED_MEMORY
    return Path(tempfile.gettempdir())


def _disk_candidates() -> list[Path]:
    folders = [Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108 - ours in it are private
    with suppress(RuntimeError):
        folders.append(Path.home() / ".cache")
    return folders


def _claim(data: Path | None, base: Callable[[], Path]) -> Claim:
    sweep()
    return claim_temporary(base()) if data is None else claim_named(data)


def _swept(lock: Path) -> Path | None:
    folder = lock.with_suffix("")
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid() or not _locked(descriptor):
            return None
        if not _same_file(descriptor, lock):
            return None
        stop_strays(folder, deep=True)
        _remove(folder, lock)
    finally:
        os.close(descriptor)
    return folder


def _remove(folder: Path, lock: Path) -> None:
    """Remove the folder, then its lock: in this order a crash between leaves no orphan."""
    if folder.exists():
        free_shared_memory(folder)
        shutil.rmtree(folder)
    lock.unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
