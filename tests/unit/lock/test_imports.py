"""The room stands alone; what a store needs is imported with the store."""

import subprocess
import sys

import pytest


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_room_imports_no_driver() -> None:
    """Neither asyncpg nor hiredis nor another room."""
    done = python(
        "import sys, loadpath.lock; "
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('loadpath.')}; "
        "sys.exit(bool({'redis', 'hiredis', 'asyncpg'} & set(sys.modules)) or "
        "rooms != {'lock', 'core'})"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("store", "driver", "extra"),
    [("postgres", "asyncpg", "loadpath[lock]"), ("redis", "hiredis", "loadpath[resp]")],
)
def test_a_missing_driver_names_the_extra(store: str, driver: str, extra: str) -> None:
    """A person sees what to install."""
    done = python(f"import sys; sys.modules[{driver!r}] = None; import loadpath.lock.{store}")
    assert f"pip install '{extra}'" in done.stderr
