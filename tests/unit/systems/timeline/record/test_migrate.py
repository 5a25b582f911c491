"""Which migrations are missing is decided without a database."""

from pathlib import Path

import pytest

from loadpath.systems.timeline.record.migrate import (
    Migration,
    MigrationError,
    pending,
    read,
    shipped,
)

FIRST = Migration(version=1, name="first", sql="SELECT 1")
SECOND = Migration(version=2, name="second", sql="SELECT 2")


def test_an_empty_database_gets_all() -> None:
    """Everything is missing where nothing was applied."""
    assert pending([FIRST, SECOND], []) == [FIRST, SECOND]


def test_only_what_is_missing_is_applied() -> None:
    """What the database has is not applied again."""
    assert pending([FIRST, SECOND], [(1, FIRST.checksum)]) == [SECOND]
    assert pending([FIRST], [(1, FIRST.checksum)]) == []


def test_a_changed_migration_is_an_error() -> None:
    """A file that was edited after it was applied is named."""
    with pytest.raises(MigrationError, match=r"0001_first was changed .* restore"):
        pending([FIRST, SECOND], [(1, "other")])


def test_a_newer_schema_is_an_error() -> None:
    """A database that a newer version has changed is left alone."""
    applied = [(1, FIRST.checksum), (2, "newer")]
    with pytest.raises(MigrationError, match=r"version 2, this code knows 1: .* newer loadpath"):
        pending([FIRST], applied)


def test_files_are_read_in_order(tmp_path: Path) -> None:
    """Numbers decide the order; other files are no migrations."""
    (tmp_path / "0002_b.sql").write_text("B")
    (tmp_path / "0001_a.sql").write_text("A")
    (tmp_path / "notes.txt").write_text("C")
    assert [str(migration) for migration in read(tmp_path)] == ["0001_a", "0002_b"]


@pytest.mark.parametrize(
    "names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"]]
)
def test_gaps_and_doubles_are_errors(tmp_path: Path, names: list[str]) -> None:
    """Numbers run 1, 2, 3, … so that two people cannot both take the next one."""
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="numbered 1, 2, 3"):
        read(tmp_path)


def test_the_shipped_migrations_are_found() -> None:
    """The package brings its own migrations."""
    assert str(shipped()[0]) == "0001_record"
