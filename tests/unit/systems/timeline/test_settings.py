"""Behaviour of the file that every process of a timeline system reads."""

from pathlib import Path

import pytest

from loadpath.core.settings import SettingsError, load
from loadpath.systems.timeline.settings import MOST_USERS, TimelineSettings


def settings(folder: Path, top: str = "", api: str = "") -> TimelineSettings:
    """Read a file with the given lines."""
    file = folder / "timeline.toml"
    file.write_text(f"postgres = 'dsn'\nrings = 'rings'\n{top}\n[api]\n{api}\n", "utf-8")
    return load(file, TimelineSettings)


@pytest.mark.parametrize(
    ("top", "api", "where"),
    [
        ("", "token_lifetime = inf", "$.api.token_lifetime"),
        ("", "token_lifetime = nan", "$.api.token_lifetime"),
        ("", "token_lifetime = 315360001", "$.api.token_lifetime"),
        ("capacity = 2147483648", "", "$.capacity"),
        ("fanout = {poll = inf}", "", "$.fanout.poll"),
    ],
)
def test_a_value_that_no_process_can_use_is_refused(
    top: str, api: str, where: str, tmp_path: Path
) -> None:
    """With its path in the file, before anything starts."""
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, top, api)
    assert caught.value.path == where


def test_the_largest_values_are_taken(tmp_path: Path) -> None:
    """Ten years, and a ring for every id that PostgreSQL can give."""
    read = settings(tmp_path, f"capacity = {MOST_USERS}", "token_lifetime = 315360000")
    assert read.capacity == MOST_USERS
    assert read.api.token_lifetime == 315_360_000
