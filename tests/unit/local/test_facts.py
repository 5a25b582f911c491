"""What a verdict prints about its servers."""

from pathlib import Path

import pytest

from loadpath.local import Facts


def facts(*, synced: bool, on_disk: bool) -> Facts:
    """Return the facts of some server."""
    return Facts(
        name="PostgreSQL",
        version="18.4",
        source="system",
        policy="fsync=on",
        synced=synced,
        folder=Path("/data"),
        on_disk=on_disk,
    )


@pytest.mark.parametrize("synced", [True, False])
@pytest.mark.parametrize("on_disk", [True, False])
def test_durable_needs_both_the_sync_and_the_disk(*, synced: bool, on_disk: bool) -> None:
    """Synced writes to memory are as little durable as unsynced writes to a disk."""
    assert facts(synced=synced, on_disk=on_disk).durable is (synced and on_disk)


def test_says_everything_in_one_line_and_as_json() -> None:
    """People read one line, programs plain values."""
    told = facts(synced=True, on_disk=True)
    assert str(told) == "PostgreSQL 18.4 (system), fsync=on, data on a real disk"
    assert told.as_json() == {
        "name": "PostgreSQL",
        "version": "18.4",
        "source": "system",
        "policy": "fsync=on",
        "synced": True,
        "folder": "/data",
        "on_disk": True,
        "durable": True,
    }
