"""Ring files: what they hold, and when they are refused."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from loadpath.systems.timeline.fanout import ringfile
from loadpath.systems.timeline.fanout.ringfile import Geometry, Header, RingFile, RingFileError

RECORD = UUID("12345678-9abc-def0-1234-56789abcdef0")
ONE = Geometry(shard=1, shards=2, capacity=100, length=5)


def _made(folder: Path) -> RingFile:
    file = RingFile.create(folder, ONE, RECORD)
    file.header[Header.READY] = 1
    return file


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shard": 2}, "shard must be from 0 to 1"),
        ({"shard": -1}, "shard must be from 0 to 1"),
        ({"capacity": 0}, "capacity must be at least 1"),
        ({"length": 0}, "length must be from 1 to 32000"),
        ({"length": 32_001}, "length must be from 1 to 32000"),
    ],
)
def test_geometry_that_makes_no_sense_is_refused(wrong: dict[str, int], message: str) -> None:
    """The error names the field and its range."""
    with pytest.raises(ValueError, match=message):
        replace(ONE, **wrong)


def test_file_is_opened_by_its_geometry(tmp_path: Path) -> None:
    """What was made is found again, with the record it belongs to."""
    _made(tmp_path)
    file = RingFile.open(tmp_path, ONE)
    assert file is not None
    assert file.record == RECORD
    assert len(file.states) == 51
    assert len(file.slots) == 51 * ONE.physical


def test_states_and_slots_lie_apart_and_aligned(tmp_path: Path) -> None:
    """Nothing overlaps, the file ends with the last slot, and unused pages take no memory."""
    file = _made(tmp_path)
    file.states[:] = 1
    file.slots[:] = 2
    assert file.header[Header.MAGIC] == ringfile.MAGIC
    assert (file.states == 1).all()
    assert ONE.slots_at % ringfile.PAGE == 0
    assert ONE.path(tmp_path).stat().st_size == ONE.size


def test_rings_of_users_are_allocated_before_they_are_needed(tmp_path: Path) -> None:
    """Memory is taken for the users that are there, not for the capacity; nothing changes."""
    geometry = Geometry(shard=0, shards=1, capacity=100_000, length=800)
    file = RingFile.create(tmp_path, geometry, RECORD)
    file.slots[0] = 7
    file.allocate(1_000)
    wanted = 1_000 * geometry.physical * ringfile.WORD
    assert wanted <= geometry.path(tmp_path).stat().st_blocks * 512 < 1.2 * wanted
    assert file.slots[0] == 7
    assert not file.states.any()


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, shards=3),
        replace(ONE, capacity=101),
        replace(ONE, length=6),
        replace(ONE, shard=0),
    ],
)
def test_file_of_another_geometry_is_not_used(tmp_path: Path, other: Geometry) -> None:
    """Settings that changed make new rings necessary."""
    _made(tmp_path)
    ONE.path(tmp_path).rename(other.path(tmp_path))
    assert RingFile.open(tmp_path, other) is None


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (Header.READY, 0),
        (Header.RETIRED, 1),
        (Header.MAGIC, 0),
        (Header.VERSION, 99),
        (Header.BOOT_LOW, 0),
    ],
)
def test_file_that_is_not_current_is_not_used(tmp_path: Path, word: Header, value: int) -> None:
    """Half made, replaced, of another program, version, or before a reboot."""
    _made(tmp_path).header[word] = value
    assert RingFile.open(tmp_path, ONE) is None


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_file_that_is_no_ring_file_is_not_used(tmp_path: Path, content: bytes) -> None:
    """Nor one that was cut off."""
    ONE.path(tmp_path).write_bytes(content)
    assert RingFile.open(tmp_path, ONE) is None


def test_reader_cannot_change_the_file(tmp_path: Path) -> None:
    """The mapping is read-only unless asked otherwise."""
    _made(tmp_path)
    file = RingFile.open(tmp_path, ONE)
    assert file is not None
    with pytest.raises(ValueError, match="read-only"):
        file.states[0] = 1


def test_rings_that_do_not_fit_the_folder_are_refused(tmp_path: Path) -> None:
    """The error names the settings to change; no file is left."""
    huge = replace(ONE, capacity=10**12)
    with pytest.raises(RingFileError, match=r"lower `capacity` or `length`, or set `rings`"):
        RingFile.create(tmp_path, huge, RECORD)
    assert not list(tmp_path.iterdir())


def test_machines_without_a_boot_id_use_the_time_of_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity is the same each time it is asked."""
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert ringfile._boot_identity() == ringfile._boot_identity()


def test_a_file_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    """It is no outage of the record: the error says which file, and what to do."""
    ONE.path(tmp_path).mkdir()
    with pytest.raises(RingFileError, match="remove it"):
        RingFile.open(tmp_path, ONE, write=True)
    with pytest.raises(RingFileError, match="remove it"):
        RingFile.create(tmp_path, ONE, RECORD)
