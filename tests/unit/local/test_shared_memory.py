"""Freeing shared memory touches nothing that it does not know."""

from pathlib import Path

import pytest

from loadpath.local.shared_memory import STATUS_FILE, free_shared_memory


@pytest.mark.parametrize(
    "status",
    [
        "",
        "42\n/data\n",
        "42\n/data\n0\n5432\n\n127.0.0.1\n  1 1\nready\n",
        "42\n/data\n0\n5432\n\n127.0.0.1\nno numbers here\nready\n",
    ],
)
def test_what_is_not_there_is_not_freed(tmp_path: Path, status: str) -> None:
    """A status file that is cut, damaged or names a segment that is gone frees nothing."""
    data = tmp_path / "deep" / "pgdata"
    data.mkdir(parents=True)
    (data / STATUS_FILE).write_text(status)
    assert free_shared_memory(tmp_path) == 0


def test_a_folder_without_postgres_is_left_alone(tmp_path: Path) -> None:
    """Folders of other servers have no status file."""
    assert free_shared_memory(tmp_path) == 0
