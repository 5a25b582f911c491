"""PostgreSQL as root, as root without user namespaces, and as an ordinary user."""

import os
import subprocess
import sys
from pathlib import Path
from stat import S_IXOTH

import pytest

from loadpath.local import survey
from loadpath.local.identity import Identity, can_map, launch_command

FORBIDDEN = Path(__file__).with_name("forbidden.py")
SOMEBODY = 65534

SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from loadpath.local import postgres
async def main():
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    async with postgres(data=data, relaxed=True) as server:
        (answer,) = await server.row("SELECT 6 * 7")
        status = Path(f"/proc/{server.pid}/status").read_text()
        user = next(line.split()[2] for line in status.splitlines() if line.startswith("Uid:"))
        print(answer, user, server.data.stat().st_uid)
asyncio.run(main())
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root takes other identities"),
    pytest.mark.skipif(sys.platform != "linux", reason="user namespaces are Linux's"),
]


def run(*command: object) -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        env={**os.environ, "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_as_somebody(*command: object) -> str:
    """Run a command as an ordinary user, who may enter the folders of this installation."""
    somebody = Identity(SOMEBODY, SOMEBODY, mapped=False)
    plain = [str(part) for part in command]
    return run(*launch_command(plain, owner=os.getpid(), death_signal=9, identity=somebody))


def need_namespaces() -> None:
    """Skip where this machine forbids user namespaces anyway."""
    if not can_map(Identity(SOMEBODY, SOMEBODY, mapped=True)):
        pytest.skip("this machine forbids user namespaces")


def need_open_installation() -> None:
    """Skip where other accounts cannot enter the folders that PostgreSQL's programs are in.

    The launcher's capability opens files, and lets programs start; initdb's own look whether the
    other program beside it may be run goes by the account alone.
    """
    (postgresql, *_) = survey()
    assert postgresql.program is not None
    closed = [each for each in postgresql.program.path.parents if not each.stat().st_mode & S_IXOTH]
    if closed:
        pytest.skip(f"other accounts cannot enter {closed[-1]}, where this clone is")


def test_root_keeps_its_files() -> None:
    """In a user namespace, the server's process and data stay root's."""
    need_namespaces()
    assert run(sys.executable, "-c", SCRIPT) == "42 0 0\n"


def test_without_namespaces_another_account_serves(base: Path) -> None:
    """Where they are forbidden, another account runs the server, in a folder closed to it too."""
    need_namespaces()
    need_open_installation()
    base.chmod(0o700)
    said = run(sys.executable, FORBIDDEN, sys.executable, "-c", SCRIPT, base / "data")
    answer, process, owner = said.split()
    assert answer == "42"
    assert process == owner != "0"


def test_a_folder_made_by_root_moves_between_both_ways(base: Path) -> None:
    """A folder made without namespaces goes on with them, and keeps its account."""
    need_namespaces()
    need_open_installation()
    first = run(sys.executable, FORBIDDEN, sys.executable, "-c", SCRIPT, base / "data")
    assert run(sys.executable, "-c", SCRIPT, base / "data") == first


def test_an_ordinary_user_serves_as_itself(base: Path) -> None:
    """Without being root nothing is special; root then runs that folder as its user."""
    need_open_installation()
    base.chmod(0o777)
    expected = f"42 {SOMEBODY} {SOMEBODY}\n"
    assert run_as_somebody(sys.executable, "-c", SCRIPT, base / "data") == expected
    assert run(sys.executable, "-c", SCRIPT, base / "data") == expected
