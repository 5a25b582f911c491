"""The launcher: it becomes the command, and the command dies with its owner."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from loadpath.local.identity import Identity, can_map, launch_command
from loadpath.local.launch import CANNOT_LAUNCH

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it by itself")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes another identity")

OWNER = """
import os, subprocess, sys, time
from loadpath.local.identity import launch_command
command = [sys.executable, "-c", "import time; time.sleep(60)"]
line = launch_command(command, owner=os.getpid(), death_signal=int(sys.argv[1]))
print(subprocess.Popen(line).pid, flush=True)
time.sleep(60)
"""


def ends(pid: int) -> bool:
    """Return whether a process ends soon; one that nobody has collected yet has ended."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def launched(
    command: list[str], identity: Identity | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command through the launcher."""
    line = launch_command(command, owner=os.getpid(), death_signal=9, identity=identity)
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)


def test_the_command_gets_its_arguments_and_its_status_is_kept() -> None:
    """Nothing of the launcher is left around the command."""
    done = launched(["/bin/sh", "-c", 'echo "$1"; exit 7', "sh", "a  b"])
    assert (done.stdout, done.returncode) == ("a  b\n", 7)


def test_a_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    """The reason goes to the log, the status says that the launcher failed."""
    done = launched([str(tmp_path / "none")])
    assert done.returncode == CANNOT_LAUNCH
    assert "No such file" in done.stderr
    assert str(tmp_path / "none") in done.stderr


def test_a_dead_owner_starts_nothing() -> None:
    """When the owner died before the launcher looked, the command does not start."""
    line = launch_command(["/bin/echo", "started"], owner=2**22 + 1, death_signal=9)
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout == ""
    assert "owner died" in done.stderr


@linux_only
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGQUIT])
def test_the_command_dies_with_its_killed_owner(death: signal.Signals) -> None:
    """`kill -9` of the owner ends what it started, with the signal it chose."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(int(death))], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        time.sleep(0.2)
        assert psutil.pid_exists(pid)
        owner.kill()
    assert ends(pid)


def test_signals_that_a_shell_ignores_in_the_background_count_again() -> None:
    """The command can be interrupted although its owner was started with `&` from a script."""
    line = launch_command(
        ["/bin/sh", "-c", "kill -INT $$; kill -QUIT $$; echo alive"],
        owner=os.getpid(),
        death_signal=9,
    )
    inherited = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert done.returncode == -signal.SIGINT
    assert done.stdout == ""


@root_only
@linux_only
def test_a_user_namespace_shows_another_user_and_keeps_roots_files(tmp_path: Path) -> None:
    """Inside, we are somebody ordinary; a folder that only root may enter is open all the same."""
    identity = Identity(65534, 65534, mapped=True)
    if not can_map(identity):
        pytest.skip("this machine forbids user namespaces")
    tmp_path.chmod(0o700)
    done = launched(["/bin/sh", "-c", f"id -u; touch {tmp_path}/mine"], identity)
    assert done.stdout == "65534\n", done.stderr
    assert (tmp_path / "mine").stat().st_uid == 0


@root_only
def test_another_identity_is_whole() -> None:
    """Without a namespace, user, group and further groups are all the other account's."""
    done = launched(["/bin/sh", "-c", "id -u; id -g; id -G"], Identity(65534, 65533, mapped=False))
    assert done.stdout == "65534\n65533\n65533\n", done.stderr


@root_only
@linux_only
def test_another_identity_enters_what_root_may(tmp_path: Path) -> None:
    """A program in a folder closed to the other account runs all the same."""
    tmp_path.chmod(0o700)
    (tmp_path / "seen").write_text("seen")
    done = launched(["/bin/cat", str(tmp_path / "seen")], Identity(65534, 65534, mapped=False))
    assert done.stdout == "seen", done.stderr


@root_only
@linux_only
@pytest.mark.parametrize("mapped", [True, False])
def test_another_identity_still_dies_with_its_owner(*, mapped: bool) -> None:
    """Taking an identity does not lose the tie to the owner's life."""
    if mapped and not can_map(Identity(65534, 65534, mapped=True)):
        pytest.skip("this machine forbids user namespaces")
    owner = OWNER.replace(
        "int(sys.argv[1]))",
        f"9, identity=Identity(65534, 65534, mapped={mapped}))",
    ).replace("import launch_command", "import Identity, launch_command")
    owner = owner.replace(
        '[sys.executable, "-c", "import time; time.sleep(60)"]', '["/bin/sleep", "60"]'
    )
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        deadline = time.monotonic() + 5
        while psutil.Process(pid).name() != "sleep" and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    assert ends(pid)
