"""Become a command that dies with its owner: run as a script by `process.py`, never imported.

A small program of its own because nothing safe can run between fork and exec in a process with
threads. It takes another identity when told so, asks the kernel for a signal at the owner's
death (Linux), and turns into the command: same process id, nothing left in between.

PostgreSQL refuses to run as root. In a user namespace root appears under an ordinary user's id
while the files stay root's own, so nothing is chowned and folders that only root may enter work.
Where containers forbid that, it becomes another user outright, and keeps the one capability that
lets it enter those folders all the same.

Usage: launch.py OWNER_PID DEATH_SIGNAL IDENTITY COMMAND…
IDENTITY: `-` (unchanged), `set:UID:GID`, or `map:UID:GID` (a user namespace).

Source: prctl(2) PR_SET_PDEATHSIG, user_namespaces(7), capabilities(7).
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITIES_VERSION = 0x20080522
CLONE_NEWUSER = 0x10000000
CANNOT_LAUNCH = 126


def main(owner: str, death_signal: str, identity: str, *command: str) -> None:
    """Take the identity, tie the life to the owner's, become the command."""
    how, *ids = identity.split(":")
    if how == "set":
        _set(*map(int, ids))
    elif how == "map":
        _map(*map(int, ids))
    # Last, because changing who we are clears it.
    if sys.platform == "linux":
        _libc("prctl", PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(owner):
        sys.exit("the owner died before the start")
    # A shell starts what runs in the background with these ignored, and exec passes that on.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - becoming the command is the purpose


def _set(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    if sys.platform != "linux":
        os.setuid(uid)
        return
    _libc("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setuid(uid)
    # A root without that capability cannot pass it on; the folders may be open all the same.
    with suppress(OSError):
        _keep(CAP_DAC_OVERRIDE)


def _keep(capability: int) -> None:
    """Keep one capability of root through the change of user and the exec to come."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _libc("capset", header, effective_permitted_inheritable)
    _libc("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _map(uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _libc("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")


def _libc(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        print(f"cannot start {sys.argv[4:5]}: {error}", file=sys.stderr)  # noqa: T201 - the log
        sys.exit(CANNOT_LAUNCH)
