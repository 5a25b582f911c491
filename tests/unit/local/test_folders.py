"""Owned folders: a living owner's is never touched, a dead one's never stays."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from loadpath.local import FolderError, FolderInUseError, folders, workspace
from loadpath.local.folders import (
    LOCK_NAME,
    claim_named,
    claim_temporary,
    disk_base,
    memory_base,
    on_disk,
    owned_folder,
    release,
    sweep,
)

GIBIBYTE = 2**30


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make every temporary folder, on disk or in memory, below one of the test's own."""
    base = tmp_path / "base"
    base.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    monkeypatch.setattr(folders, "SHARED_MEMORY", tmp_path / "none")
    return base


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def orphan(base: Path) -> Path:
    """Leave a temporary folder behind, as a killed owner does."""
    claim = claim_temporary(base)
    (claim.folder / "deep").mkdir()
    (claim.folder / "deep" / "file").write_text("left")
    os.close(claim.descriptor)
    return claim.folder


def test_a_temporary_folder_is_private_and_vanishes(base: Path) -> None:
    """Only its user may look into it, and nothing of it stays."""
    claim = claim_temporary(base)
    assert claim.folder.stat().st_mode & 0o777 == 0o700
    release(claim)
    assert names(base) == []


def test_a_living_owners_folder_is_never_swept(base: Path) -> None:
    """However often others sweep, a claimed folder stays."""
    claim = claim_temporary(base)
    assert sweep() == []
    assert claim.folder.is_dir()
    release(claim)


def test_a_dead_owners_folder_is_swept(base: Path) -> None:
    """Whoever comes next removes what a killed owner left, with all that is in it."""
    left = orphan(base)
    assert sweep() == [left]
    assert names(base) == []


def test_a_kill_between_lock_and_folder_leaves_nothing(base: Path) -> None:
    """An owner killed before it made its folder leaves a lock file, which goes too."""
    left = orphan(base)
    folders.shutil.rmtree(left)
    assert sweep() == [left]
    assert names(base) == []


def test_files_of_others_are_left_alone(base: Path) -> None:
    """A lock file that cannot be opened, or names that only look alike, stay."""
    (base / "loadpath-link.lock").symlink_to(base / "elsewhere")
    (base / "loadpath-folder.lock").mkdir()
    (base / "other.lock").touch()
    (base / "loadpath-src").mkdir()
    (base / "loadpath-src.lock").touch()
    assert sweep() == []
    assert len(list(base.iterdir())) == 5


def test_a_swept_lock_file_is_not_taken_for_ones_own(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner whose fresh lock file a sweeper removed before it was locked makes another."""
    real, stolen = folders._locked, []

    def locked_too_late(descriptor: int) -> bool:
        if not stolen:
            (lock,) = base.glob("*.lock")
            lock.unlink()
            stolen.append(lock)
        return real(descriptor)

    monkeypatch.setattr(folders, "_locked", locked_too_late)
    claim = claim_temporary(base)
    assert claim.lock.exists()
    assert claim.lock not in stolen
    release(claim)


def test_a_named_folder_has_one_owner(tmp_path: Path) -> None:
    """A second owner is told who has it; after the first it may have it, with its data."""
    first = claim_named(tmp_path / "deep" / "data")
    (first.folder / "kept").write_text("kept")
    with pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()}"):
        claim_named(tmp_path / "deep" / "data")
    release(first)
    second = claim_named(tmp_path / "deep" / "data")
    assert (second.folder / "kept").read_text() == "kept"
    release(second)


def test_a_named_folder_of_a_killed_owner_is_free(tmp_path: Path) -> None:
    """The lock goes with its owner, however that ended."""
    holder = (
        "import sys, time; from pathlib import Path;"
        " from loadpath.local.folders import claim_named;"
        " claim = claim_named(Path(sys.argv[1])); print('mine', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mine\n"
        with pytest.raises(FolderInUseError, match=f"process {process.pid}"):
            claim_named(tmp_path / "data")
        process.kill()
    release(claim_named(tmp_path / "data"))


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """A folder that cannot be made is named, with the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot hold data.*name another folder"):
        claim_named(tmp_path / "file" / "data")
    with pytest.raises(FolderError, match="cannot hold a temporary folder"):
        claim_temporary(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    """A folder that we may not write is named, with the reason."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(FolderError, match="Permission denied"):
        claim_named(tmp_path / "closed" / "data")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory file system here")  # noqa: S108
def test_memory_is_told_from_a_disk() -> None:
    """The memory file system is none; a folder of the file system that holds us is as its mount."""
    assert not on_disk(Path("/dev/shm"))  # noqa: S108 - looked at, not written
    kinds = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    assert on_disk(Path("/")) is (kinds["/"] not in {"tmpfs", "ramfs"})


def test_a_machine_without_a_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than pretend durability in memory, the error asks for a named folder."""
    monkeypatch.setattr(folders, "on_disk", lambda _: False)
    with pytest.raises(FolderError, match="no writable folder on a real disk: name one"):
        disk_base()


def test_memory_too_small_is_not_used(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's small memory file system is passed over for what would not fit."""
    monkeypatch.setattr(folders, "SHARED_MEMORY", tmp_path)
    assert memory_base() == tmp_path
    assert memory_base(2**62) == base


async def test_a_workspace_keeps_the_named_part_only(tmp_path: Path, base: Path) -> None:
    """The named disk folder stays with its files; the memory folder was made to be thrown away."""
    async with workspace(tmp_path / "data", memory_size=GIBIBYTE) as space:
        assert space.disk == tmp_path / "data"
        assert space.memory.parent == base
        await asyncio.to_thread((space.disk / "kept").touch)
        await asyncio.to_thread((space.memory / "derived").touch)
    assert names(tmp_path / "data") == [LOCK_NAME, "kept"]
    assert names(base) == []


async def test_a_cancelled_owner_leaves_no_folder(base: Path) -> None:
    """Cancelled at any time, before, during or after the claim, the folder is gone."""

    async def own() -> None:
        async with owned_folder(None, base=lambda: base):
            await asyncio.sleep(10)

    for pauses in range(12):
        task = asyncio.create_task(own())
        for _ in range(pauses):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(base) == []
