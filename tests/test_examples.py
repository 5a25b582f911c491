"""Every example runs to its end as a reader would run it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("[0-9]*.py")), ids=lambda path: path.stem
)
def test_example_runs(example: Path) -> None:
    """The example ends by itself, successfully, and prints what it shows."""
    ran = subprocess.run(
        [sys.executable, str(example)],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
