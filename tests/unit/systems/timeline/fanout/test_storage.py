"""Who may write to a ring file, and when a new one is made."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from loadpath.systems.timeline.fanout import storage
from loadpath.systems.timeline.fanout.log import LogPosition
from loadpath.systems.timeline.fanout.ringfile import Geometry, Header, RingFile, RingFileError
from loadpath.systems.timeline.fanout.rings import TimelineReader

ONE = Geometry(shard=0, shards=1, capacity=9, length=5)
RECORD = UUID(int=5)
LOG = LogPosition(RECORD, trimmed=10, last=100)


def _ready(folder: Path, log: LogPosition = LOG) -> RingFile:
    file = storage.replace(folder, ONE, log)
    storage.make_ready(file, log)
    return file


def test_second_writer_is_refused(tmp_path: Path) -> None:
    """The error says which shard and what to do; afterwards the shard is free again."""
    with (
        storage.only_writer(tmp_path, ONE),
        pytest.raises(storage.SecondWriterError, match="shard 0 has a writer already"),
        storage.only_writer(tmp_path, ONE),
    ):
        pass
    with storage.only_writer(tmp_path, ONE):
        pass


def test_killed_writer_frees_its_shard(tmp_path: Path) -> None:
    """The lock is the kernel's: it goes with the process, whatever happened to it."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from loadpath.systems.timeline.fanout import storage\n"
        "from loadpath.systems.timeline.fanout.ringfile import Geometry\n"
        "one = Geometry(shard=0, shards=1, capacity=9, length=5)\n"
        "with storage.only_writer(Path(sys.argv[1]), one):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    with storage.only_writer(tmp_path, ONE):
        pass


def test_shards_have_a_writer_each(tmp_path: Path) -> None:
    """One does not keep the other out."""
    pair = [Geometry(shard=n, shards=2, capacity=9, length=5) for n in range(2)]
    with storage.only_writer(tmp_path, pair[0]), storage.only_writer(tmp_path, pair[1]):
        pass


def test_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The error names the setting."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RingFileError, match="set `rings` to a folder"),
        storage.only_writer(tmp_path / "file" / "rings", ONE),
    ):
        pass


def test_rings_are_gone_on_with_while_the_log_continues(tmp_path: Path) -> None:
    """At any offset that the log still covers."""
    file = _ready(tmp_path)
    for applied in (10, 50, 100):
        file.header[Header.APPLIED] = applied
        assert storage.reopen(tmp_path, ONE, LOG) is not None


@pytest.mark.parametrize("applied", [9, 101])
def test_rings_beside_the_log_are_not_gone_on_with(tmp_path: Path, applied: int) -> None:
    """Too old: events were trimmed. Too new: the record was restored from a backup."""
    _ready(tmp_path).header[Header.APPLIED] = applied
    assert storage.reopen(tmp_path, ONE, LOG) is None


def test_rings_of_another_record_are_not_gone_on_with(tmp_path: Path) -> None:
    """A folder that another system used does not show its posts here."""
    _ready(tmp_path)
    assert storage.reopen(tmp_path, ONE, LOG._replace(record=UUID(int=6))) is None


def test_writer_killed_while_filling_starts_anew(tmp_path: Path) -> None:
    """A file that was never ready is neither read nor gone on with."""
    storage.replace(tmp_path, ONE, LOG)
    assert storage.reopen(tmp_path, ONE, LOG) is None
    assert not TimelineReader(tmp_path, shards=1, capacity=9, length=5).complete


@pytest.mark.parametrize("content", [b"", b"x"])
def test_remains_of_a_file_are_replaced(tmp_path: Path, content: bytes) -> None:
    """A writer may die right after it made the file."""
    ONE.path(tmp_path).write_bytes(content)
    assert storage.reopen(tmp_path, ONE, LOG) is None
    _ready(tmp_path)
    assert storage.reopen(tmp_path, ONE, LOG) is not None


def test_readers_of_a_replaced_file_are_told(tmp_path: Path) -> None:
    """They ask the record until the new rings are ready, then find them."""
    _ready(tmp_path)
    reader = TimelineReader(tmp_path, shards=1, capacity=9, length=5)
    assert reader.newest(1) is not None
    file = storage.replace(tmp_path, ONE, LOG)
    assert reader.newest(1) is None
    assert not reader.refresh()
    storage.make_ready(file, LOG)
    assert reader.refresh()
    assert reader.newest(1) is not None


def test_new_rings_stand_at_the_snapshot(tmp_path: Path) -> None:
    """The log goes on after the last offset that the snapshot contained."""
    assert int(_ready(tmp_path).header[Header.APPLIED]) == 100


def test_too_little_room_is_said_after_readers_had_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of the retired file may still be held for a moment, but not forever."""
    monkeypatch.setattr(storage, "LET_GO", 0.1)
    _ready(tmp_path)
    huge = Geometry(shard=0, shards=1, capacity=10**12, length=5)
    with pytest.raises(RingFileError, match="lower `capacity`"):
        storage.replace(tmp_path, huge, LOG)


def test_ring_files_are_private(tmp_path: Path) -> None:
    """Other users of the machine cannot read what people see."""
    _ready(tmp_path)
    assert ONE.path(tmp_path).stat().st_mode & 0o077 == 0
    assert os.access(ONE.path(tmp_path), os.R_OK)
