"""`loadpath doctor`: say what is installed, what is missing, and what each missing piece costs."""

import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from loadpath.cli.entry import EXTRAS
from loadpath.cli.output import console_for, print_json
from loadpath.core.errors import LoadpathError

if TYPE_CHECKING:
    from loadpath.local.programs import Finding

GIB: Final = 1 << 30
PYTHON: Final = (3, 11)
DEMO_MEMORY: Final = 3 * GIB
DEMO_DISK: Final = 8 * GIB
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")

# Distribution, and what is missing without it; those that the timeline system cannot run without.
PACKAGES: Final = {
    "cyclopts": "no command line",
    "rich": "no command line",
    "platformdirs": "no `loadpath up`: nobody says where its data goes",
    "asyncpg": "no record: the timeline system does not run",
    "hiredis": "a slower peer: the verdict's comparison would be unfair",
    "httptools": "no HTTP: the timeline system does not run",
    "joserfc": "no bearer tokens: the timeline system does not run",
    "msgspec": "nothing runs",
    "numpy": "no rings and no follower graph: the timeline system does not run",
    "psutil": "no measured CPU time, and strays of killed owners cannot be found",
    "redis": "no peer in the timeline's verdict",
    "starlette": "no HTTP: the timeline system does not run",
    "uvicorn": "no HTTP: the timeline system does not run",
    "uvloop": "no HTTP and no fan-out: the timeline system does not run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Hold what one look found.

    Attributes:
        name: What was looked for.
        found: What is there, None when it is missing.
        required: Whether `loadpath demo timeline` needs it.
        cost: What is missing without it.
        remedy: How to get it.
    """

    name: str
    found: str | None
    required: bool
    cost: str
    remedy: str

    @property
    def good(self) -> bool:
        """Whether it is there."""
        return self.found is not None


def doctor(*, json: bool = False) -> int:
    """Look at this machine: what is installed, what is missing, what that costs.

    Exits with 1 when something is missing that the demo needs.

    Args:
        json: Print what was found for programs.
    """
    checks = [*_machine(), *map(_package, PACKAGES), *_servers(), _browser()]
    well = all(check.good for check in checks if check.required)
    if json:
        print_json({"well": well, "checks": [{**asdict(c), "good": c.good} for c in checks]})
    else:
        console_for(json=False).print(_table(checks))
    return 0 if well else 1


def _machine() -> list[Check]:
    python = platform.python_version() if sys.version_info >= PYTHON else None
    shared = Path("/dev/shm")  # noqa: S108 - the kernel's memory file system
    memory = shutil.disk_usage(shared).free if shared.is_dir() else None
    disk = shutil.disk_usage(_disk()).free
    return [
        Check(
            name="Python 3.11 or newer",
            found=python,
            required=True,
            cost="nothing runs",
            remedy="install a newer Python",
        ),
        Check(
            name="two CPU cores",
            found=_if(os.cpu_count() or 1, 2, "cores"),
            required=False,
            cost="the demo's load and the system that it measures slow each other down",
            remedy="a larger machine, or `loadpath demo timeline --posts 100 --reads 200`",
        ),
        Check(
            name="3 GiB of shared memory",
            found=_gib(memory, DEMO_MEMORY),
            required=False,
            cost="rings on a disk: slower fan-out",
            remedy="a larger /dev/shm, or `loadpath demo timeline --users 50000`",
        ),
        Check(
            name="8 GiB of disk",
            found=_gib(disk, DEMO_DISK),
            required=False,
            cost="the demo's graph of 40 million follows does not fit",
            remedy="free some room, or `loadpath demo timeline --users 50000`",
        ),
    ]


def _disk() -> Path:
    """Return where the demo's record lies, or would if it could run."""
    try:
        from loadpath.local.folders import disk_base  # noqa: PLC0415 - needs an extra

        return disk_base()
    except (ImportError, LoadpathError):
        return Path(tempfile.gettempdir())


def _if(count: int, least: int, unit: str) -> str | None:
    return f"{count} {unit}" if count >= least else None


def _gib(free: int | None, least: int) -> str | None:
    return None if free is None or free < least else f"{free / GIB:.0f} GiB free"


def _package(name: str) -> Check:
    try:
        found: str | None = version(name)
    except PackageNotFoundError:
        found = None
    return Check(
        name=f"package {name}", found=found, required=True, cost=PACKAGES[name], remedy=EXTRAS
    )


def _servers() -> list[Check]:
    """Look for the servers; looking itself needs an extra that may be missing."""
    try:
        from loadpath.local.programs import survey  # noqa: PLC0415 - needs an extra
    except ImportError:
        cost = "no server can be started: the timeline system does not run"
        return [
            Check(name=f"server {name}", found=None, required=True, cost=cost, remedy=EXTRAS)
            for name in ("PostgreSQL", "Valkey")
        ]
    return list(map(_server, survey()))


def _server(finding: "Finding") -> Check:
    program = finding.program
    required = finding.name in {"PostgreSQL", "Valkey"}
    return Check(
        name=f"server {finding.name}",
        found=None if program is None else f"{program.version} ({program.source})",
        required=required,
        cost=finding.cost,
        remedy=EXTRAS if required else finding.install,
    )


def _browser() -> Check:
    return Check(
        name="Chromium",
        found=next(filter(None, map(shutil.which, CHROMIUM)), None),
        required=False,
        cost="the tests of the page are skipped; nothing that runs needs it",
        remedy="install your system's package chromium",
    )


def _table(checks: list[Check]) -> Table:
    table = Table(title="This machine", title_justify="left")
    for column in ("", "found", "without it", "remedy"):
        table.add_column(column)
    for check in checks:
        if check.good:
            table.add_row(check.name, check.found)
        else:
            colour = "red" if check.required else "yellow"
            table.add_row(check.name, f"[{colour}]missing[/]", check.cost, check.remedy)
    return table
