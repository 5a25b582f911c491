"""The engine's process dies in mid-scatter: nothing is lost, nothing is doubled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def _kill(folder: Path, kills: int, seed: int) -> str:
    command = [sys.executable, Path(__file__).with_name("kill_engine.py"), folder]
    ended = subprocess.run(
        [*command, str(kills), str(seed)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_hundreds_of_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """Real SIGKILLs at random moments of batches, follows and rewrites."""
    said = _kill(tmp_path, 200, 1)
    assert int(said.split()[0]) > 60, "most writers had finished before they were killed"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 40))
def test_thousands_of_kills_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """The long version."""
    _kill(tmp_path, 3_000, seed)
