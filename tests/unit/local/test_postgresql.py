"""PostgreSQL's settings and its word that it is ready."""

from pathlib import Path

import pytest

from loadpath.local.postgresql import Setting, _is_ready, checked_settings, postgres, render


def test_settings_are_quoted() -> None:
    """Text with quotes and backslashes arrives as it was given; booleans are on and off."""
    settings: dict[str, Setting] = {"a": True, "b": False, "c": 5, "d": "it's \\ here"}
    assert render(settings) == "a = 'on'\nb = 'off'\nc = '5'\nd = 'it''s \\\\ here'\n"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Bad Name", 1, "'Bad Name' is no PostgreSQL setting"),
        ("a\nport", 1, "is no PostgreSQL setting"),
        ("port", 5432, "port is decided by loadpath"),
        ("listen_addresses", "*", "listen_addresses is decided by loadpath"),
        ("work_mem", "1MB\nport = 1", "work_mem must not contain control characters"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: Setting, message: str) -> None:
    """A setting that would break the file, or loopback, is refused by name."""
    with pytest.raises(ValueError, match=message):
        checked_settings({name: value})


async def test_arguments_are_checked_before_anything_starts() -> None:
    """A wrong argument costs no server and no folder."""
    with pytest.raises(ValueError, match="port must be"):
        await postgres(port=70_000).__aenter__()


@pytest.mark.parametrize(
    ("lines", "ready"),
    [
        (None, False),
        ([], False),
        (["42", "", "", "", "", "", "", "starting"], False),
        (["42", "", "", "", "", "", "", "ready   "], True),
        (["41", "", "", "", "", "", "", "ready   "], False),
    ],
)
def test_only_the_living_servers_own_word_counts(
    tmp_path: Path, lines: list[str] | None, *, ready: bool
) -> None:
    """A status file of an earlier server, or one half written, is no readiness."""
    status = tmp_path / "postmaster.pid"
    if lines is not None:
        status.write_text("\n".join(lines))
    assert _is_ready(status, 42) is ready
