"""The room pulls in what it needs and no more."""

import subprocess
import sys

import loadpath.resilience


def test_no_driver_is_imported() -> None:
    """Who limits in memory needs no client of a server, and no other room."""
    code = (
        "import sys, loadpath.resilience\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('loadpath.', 'redis'))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rooms = {name.split(".")[1] for name in ran.stdout.split() if name.startswith("loadpath.")}
    assert rooms == {"core", "resilience"}
    assert not any(name.split(".")[0] == "redis" for name in ran.stdout.split())


def test_everything_public_is_named_once() -> None:
    """`__all__` is sorted, and all of it exists."""
    names = loadpath.resilience.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(loadpath.resilience, name) for name in names)
