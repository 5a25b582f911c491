"""Only what a dead owner left is ended."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from loadpath.local.strays import OWNER_VARIABLE, stop_strays

START = (
    "import subprocess as s, sys;"
    " print(s.Popen([sys.argv[1], '60'], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
)


@contextmanager
def sleeper(name: str, place: Path, owner: Path | None = None) -> Iterator[int]:
    """Run a stranger's process of that name in that folder; yields its id."""
    place.mkdir(parents=True, exist_ok=True)
    program = place / name
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    env = {} if owner is None else {OWNER_VARIABLE: str(owner)}
    # Through a process that ends at once, so that it is nobody's child here, as a stray is.
    starter = subprocess.run(
        [sys.executable, "-c", START, str(program)],
        cwd=place,
        env=env,
        capture_output=True,
        check=True,
    )
    pid = int(starter.stdout)
    try:
        yield pid
    finally:
        if alive(pid):
            os.kill(pid, 9)


def alive(pid: int) -> bool:
    """Return whether the process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", ["postgres", "valkey-server", "nginx"])
def test_a_server_left_in_the_folder_is_ended(tmp_path: Path, name: str) -> None:
    """A server whose working folder is right below the owner's belongs to the dead owner."""
    with sleeper(name, tmp_path / "data") as pid:
        assert stop_strays(tmp_path) == 1
        assert not alive(pid)


def test_other_programs_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    """A user's own shell or editor in the folder is no server."""
    with sleeper("editor", tmp_path / "data") as pid:
        assert stop_strays(tmp_path, deep=True) == 0
        assert alive(pid)


def test_servers_of_folders_further_down_may_have_living_owners(tmp_path: Path) -> None:
    """Only when everything is to be removed are servers further down ended too."""
    with sleeper("postgres", tmp_path / "inner" / "data") as pid:
        assert stop_strays(tmp_path) == 0
        assert alive(pid)
        assert stop_strays(tmp_path, deep=True) == 1
        assert not alive(pid)


def test_a_child_that_names_its_owners_folder_is_ended(tmp_path: Path) -> None:
    """Children that are no servers are known by their environment, and only the folder's own."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    with sleeper("child", mine / "x", mine) as pid, sleeper("child", other / "x", other) as others:
        assert stop_strays(mine) == 1
        assert not alive(pid)
        assert alive(others)


def test_nothing_to_end_costs_little(tmp_path: Path) -> None:
    """Looking at every process of the machine takes well under a second."""
    stop_strays(tmp_path)
    begun = time.perf_counter()
    assert stop_strays(tmp_path) == 0
    assert time.perf_counter() - begun < 1
