"""Decide as whom a server runs: PostgreSQL refuses to be root.

An ordinary user runs it as itself. Root runs it inside a user namespace; where containers forbid
those, as another account, and a data folder that belongs to an ordinary user is run by that user.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loadpath.local.errors import ServerError

ACCOUNTS = ("postgres", "_postgres", "nobody")
LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Identity:
    """Say as whom a program runs; `mapped` into a user namespace or set outright."""

    uid: int
    gid: int
    mapped: bool

    def __str__(self) -> str:
        return f"{'map' if self.mapped else 'set'}:{self.uid}:{self.gid}"


def launch_command(
    command: Sequence[str | os.PathLike[str]],
    *,
    owner: int,
    death_signal: int,
    identity: Identity | None = None,
) -> list[str]:
    """Return the command line that runs `command` through the launcher.

    Args:
        command: Absolute path of the program, and its arguments.
        owner: Id of the process whose death ends the command.
        death_signal: Signal that the kernel sends then (Linux).
        identity: As whom to run, None for unchanged.
    """
    who = "-" if identity is None else str(identity)
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(owner), str(death_signal), who]
    return [*launcher, *(os.fspath(part) for part in command)]


def choose_identity(
    *,
    euid: int,
    folder_owner: int | None,
    accounts: Sequence[pwd.struct_passwd],
    can_map: Callable[[Identity], bool],
) -> Identity | None:
    """Return as whom a program that refuses root runs, None for unchanged.

    Args:
        euid: Effective user id of this process.
        folder_owner: User id that owns the existing data folder, None for a new one.
        accounts: The machine's accounts.
        can_map: Whether a user namespace with this identity can be made here.

    Raises:
        ServerError: This machine has no account but root.
    """
    if euid != 0:
        return None
    by_id = {account.pw_uid: account for account in reversed(accounts) if account.pw_uid != 0}
    if folder_owner:
        owner = by_id.get(folder_owner)
        return Identity(folder_owner, owner.pw_gid if owner else folder_owner, mapped=False)
    named = {account.pw_name: account for account in by_id.values()}
    account = next((named[name] for name in ACCOUNTS if name in named), None)
    account = account or next(iter(by_id.values()), None)
    if account is None:
        raise ServerError("postgres", "cannot run as root, and there is no other account: add one")
    mapped = Identity(account.pw_uid, account.pw_gid, mapped=True)
    if can_map(mapped):
        return mapped
    return Identity(account.pw_uid, account.pw_gid, mapped=False)


def identity_for(data: Path) -> Identity | None:
    """Return as whom a program that refuses root runs on this data folder (blocking)."""
    return choose_identity(
        euid=os.geteuid(),
        folder_owner=data.stat().st_uid if data.exists() else None,
        accounts=pwd.getpwall(),
        can_map=can_map,
    )


@cache
def can_map(identity: Identity) -> bool:
    """Return whether this machine lets us make a user namespace (blocking, tried once)."""
    if sys.platform != "linux":
        return False
    command = launch_command(
        ["/bin/sh", "-c", ":"], owner=os.getpid(), death_signal=9, identity=identity
    )
    return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0


def hand_over(folder: Path, identity: Identity | None) -> None:
    """Give the folder to who will run on it, where that is not ourselves (blocking).

    Args:
        folder: The folder and all that is in it.
        identity: As whom the server runs.
    """
    if identity is None or identity.mapped:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
