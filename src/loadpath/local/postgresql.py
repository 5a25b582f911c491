"""Start, own and stop a PostgreSQL server.

Durable by default: `fsync=on` and data on a real disk; `relaxed=True` asks by name for the
opposite, for tests. The server listens on loopback with a password of its own, because every
account of the machine reaches loopback.
"""

import os
import re
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadpath.local.cancellation import finish, in_thread
from loadpath.local.errors import FolderError
from loadpath.local.facts import Facts
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.identity import Identity, hand_over, identity_for
from loadpath.local.ports import LOOPBACK, checked_port
from loadpath.local.process import Plan, checked_start_timeout, run
from loadpath.local.programs import POSTGRES, Program, Source, find_program
from loadpath.local.server import Server, running
from loadpath.local.shared_memory import free_shared_memory
from loadpath.local.strays import stop_strays
from loadpath.local.synced import sync_folder, write_synced

Setting = str | int | float | bool

SETTINGS_FILE = "loadpath.conf"
OURS = frozenset(
    {"port", "listen_addresses", "unix_socket_directories", "data_directory", "primary_conninfo"}
)
ALWAYS: Mapping[str, Setting] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: goes with it after a kill
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
RELAXED: Mapping[str, Setting] = {
    "fsync": False,
    "full_page_writes": False,
    "shared_buffers": "32MB",
}
POLICY = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
FAST = (signal.SIGINT, 30.0)
IMMEDIATE = (signal.SIGQUIT, 10.0)
BUILTIN_LOCALE_SINCE = 17
STATUS_LINE = 7
PASSWORD_FILE = "password"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Say how the PostgreSQL servers of one group are run.

    Attributes:
        program: The installation.
        settings: PostgreSQL settings on top of the defaults.
        relaxed: Whether nothing needs to survive a power loss.
        start_timeout: Seconds until a server must answer.
    """

    program: Program
    settings: Mapping[str, Setting] = field(default_factory=dict)
    relaxed: bool = False
    start_timeout: float = 60.0

    def having(self, settings: Mapping[str, Setting]) -> "Options":
        """Return the same with further settings."""
        return replace(self, settings={**self.settings, **settings})


class Postgres(Server):
    """One PostgreSQL server; made by `postgres()` and `postgres_cluster()`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        options: Options,
        *,
        port: int | None = None,
        primary: "Postgres | None" = None,
    ) -> None:
        super().__init__(name, folder, options.program, port=port)
        self._options = options
        self._primary = primary
        self._upstream: str | None = None
        self._copied_from: int | None = None
        self._password = ""
        self._identity: Identity | None = None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "pgdata"

    @property
    def dsn(self) -> str:
        """Address for asyncpg, psycopg or psql."""
        return (
            f"postgresql://postgres:{self._password}@{LOOPBACK}:{self.port}/postgres"
            "?sslmode=disable"
        )

    def follow(self, conninfo: str) -> None:
        """Start as a replica from the next start on, whatever the server was before.

        Args:
            conninfo: libpq connection string of whom it follows; empty: of nobody, for now.
        """
        self._upstream = conninfo

    async def create(self) -> None:
        """Make the data folder unless it is there: whole or not at all.

        Raises:
            ServerError: It cannot be made; carries the last lines of the tool that failed.
        """
        await in_thread(stop_strays, self.folder)
        fresh = self.folder / "pgdata.new"
        if not await in_thread(self._prepare, fresh):
            return
        try:
            await self._fill(fresh)
        except BaseException:
            # Such a tool has children, which go on writing for a moment after its end.
            await finish(in_thread(stop_strays, self.folder))
            raise
        await in_thread(self._adopt, fresh)

    async def recopy(self, port: int) -> None:
        """Stop the server and replace its data by a copy of another one's; start it yourself.

        Args:
            port: Loopback port behind which the other one is, which has the same password.

        Raises:
            ServerError: It cannot be copied; the data are gone, so try again.
        """
        await self.stop()
        await in_thread(shutil.rmtree, self.data, ignore_errors=True)
        self._copied_from = port
        await self.create()

    async def start_on(self, port: int) -> None:
        """Start the created server on this very port and wait until it accepts sessions.

        Raises:
            ServerError: It did not come up; carries its last lines.
        """
        await in_thread(self._write_settings, port)
        await self._begin(port, self._server_plan(port), self._answers)
        self.facts = await self._learn()

    async def row(self, query: str) -> list[str]:
        """Ask the server through psql, which needs no driver.

        Args:
            query: One statement that returns one short row.

        Returns:
            The values of the row, as text.

        Raises:
            ServerError: The query failed; carries what psql said.
        """
        said = await self._run("psql", ["-XqAtw", "-c", query], self.client_environment)
        return said.split("|")

    @property
    def client_environment(self) -> dict[str, str | None]:
        """Variables that lead PostgreSQL's own tools to this server."""
        return {
            "PGHOST": LOOPBACK,
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGDATABASE": "postgres",
            "PGPASSWORD": self._password,
            "PGSSLMODE": "disable",
        }

    async def _fill(self, fresh: Path) -> None:
        if not self._is_copy:
            await self._run("initdb", _initdb_arguments(fresh, self._options), place=fresh)
            return
        arguments = _copy_arguments(fresh, self._options)
        env = (self._primary or self).client_environment
        if self._copied_from is not None:
            env["PGPORT"] = str(self._copied_from)
        await self._run("pg_basebackup", arguments, env, place=fresh)

    @property
    def _is_copy(self) -> bool:
        return self._primary is not None or self._copied_from is not None

    async def _answers(self) -> bool:
        return await in_thread(_is_ready, self.data / "postmaster.pid", self.pid)

    async def _learn(self) -> Facts:
        asked = ", ".join(f"current_setting('{name}')" for name in POLICY)
        values = dict(zip(POLICY, await self.row(f"SELECT {asked}"), strict=True))
        return await self._facts(
            self.data,
            policy=" ".join(f"{name}={value}" for name, value in values.items() if value),
            synced=values["fsync"] == values["full_page_writes"] == "on"
            and values["synchronous_commit"] != "off",
        )

    async def _run(
        self,
        tool: str,
        arguments: list[str],
        env: Mapping[str, str | None] | None = None,
        *,
        place: Path | None = None,
    ) -> str:
        plan = Plan(
            name=f"{self.name} ({tool})",
            command=[self._program.beside(tool), *arguments],
            log=self.folder / f"{tool}.log",
            folder=place or self.data,
            env={**_clean_environment(), **(env or {})},
            identity=self._identity,
            stop_signals=(),
            start_timeout=self._options.start_timeout,
        )
        return await run(plan)

    def _server_plan(self, port: int) -> Plan:
        return Plan(
            name=self.name,
            # The port and loopback again here, where no ALTER SYSTEM of a user's can change them.
            command=[self._program.path, "-D", self.data, "-p", str(port), "-h", LOOPBACK],
            log=self.log,
            folder=self.data,
            env=_clean_environment(),
            identity=self._identity,
            stop_signals=(FAST, IMMEDIATE),
            death_signal=signal.SIGQUIT,
            start_timeout=self._options.start_timeout,
        )

    def _prepare(self, fresh: Path) -> bool:
        """Make the folder usable, and return whether the data is still to be made."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if fresh.exists():
                free_shared_memory(fresh)
                shutil.rmtree(fresh)
            missing = not self.data.exists()
            if missing:
                fresh.mkdir(mode=0o700)
            self._password = self._learn_password(missing=missing)
            self._identity = identity_for(self.data)
            # Nothing else: a named folder may hold what is none of ours.
            for ours in (fresh if missing else self.data, self.folder / PASSWORD_FILE):
                if ours.exists():
                    hand_over(ours, self._identity)
        except OSError as error:
            raise FolderError(self.folder, f"cannot hold a PostgreSQL server: {error}") from error
        return missing

    def _learn_password(self, *, missing: bool) -> str:
        if self._primary is not None:
            return self._primary._password  # noqa: SLF001 - a replica has its primary's
        path = self.folder / PASSWORD_FILE
        if missing and self._copied_from is None:
            write_synced(path, secrets.token_urlsafe(24))
        password = path.read_text()
        if not password:
            raise FolderError(path, "is empty: restore the password that the data was made with")
        return password

    def _adopt(self, fresh: Path) -> None:
        """Give a finished data folder its place; synced, so that a power loss cannot undo it."""
        with (fresh / "postgresql.conf").open("a") as file:
            if not self._is_copy:
                file.write(f"include_if_exists = '{SETTINGS_FILE}'\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.data)
        sync_folder(self.folder)

    def _whom_it_follows(self) -> str | None:
        if self._upstream is not None or self._primary is None:
            return self._upstream
        return (
            f"host={LOOPBACK} port={self._primary.port} user=postgres"
            f" password={self._password} sslmode=disable"
        )

    def _write_settings(self, port: int) -> None:
        settings = {**ALWAYS, **(RELAXED if self._options.relaxed else {})}
        settings |= {**self._options.settings, "port": port}
        signal_file = self.data / "standby.signal"
        upstream = self._whom_it_follows()
        if upstream is None:
            signal_file.unlink(missing_ok=True)
        else:
            signal_file.touch()
            settings |= {
                "cluster_name": self.name.replace("-", "_"),
                "primary_conninfo": upstream,
            }
        path = self.data / SETTINGS_FILE
        write_synced(path, render(settings))
        hand_over(self.data, self._identity)


@asynccontextmanager
async def postgres(
    *,
    data: Path | None = None,
    settings: Mapping[str, Setting] | None = None,
    port: int | None = None,
    relaxed: bool = False,
    binaries: Source = "wheel",
    start_timeout: float = 60.0,
) -> AsyncIterator[Postgres]:
    """Run one PostgreSQL server until the end of the block.

    Args:
        data: Its folder, kept afterwards and used again by the next start; None for a temporary
            one on a real disk (in memory when relaxed).
        settings: PostgreSQL settings on top of the defaults.
        port: Loopback port; None for a free one.
        relaxed: For tests: no fsync, memory-backed temporary folder. Data is lost with the power.
        binaries: Where the programs are: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until it must answer.

    Raises:
        ServerError: It did not come up; carries its last lines.
        ProgramMissingError: PostgreSQL is not installed; says what to install.
        FolderInUseError: Another living process owns `data`.
        ValueError: A setting, the port or the timeout is wrong.
    """
    checked = checked_settings(settings or {})
    checked_port(port)
    checked_start_timeout(start_timeout)
    program = await in_thread(find_program, POSTGRES, binaries)
    options = Options(
        program=program, settings=checked, relaxed=relaxed, start_timeout=start_timeout
    )
    async with owned_folder(data, base=memory_base if relaxed else None) as folder:
        server = Postgres("postgres", folder, options, port=port)
        await server.create()
        async with running(server):
            yield server


def checked_settings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings a caller asked for.

    Raises:
        ValueError: A name is no setting's, or belongs to us.
    """
    for name, value in settings.items():
        if not re.fullmatch(r"[a-z_][a-z0-9_.]*", name):
            raise ValueError(f"settings: {name!r} is no PostgreSQL setting")
        if name in OURS:
            raise ValueError(f"settings: {name} is decided by loadpath; use the arguments instead")
        if isinstance(value, str) and any(ord(letter) < ord(" ") for letter in value):
            raise ValueError(f"settings: {name} must not contain control characters: {value!r}")
    return dict(settings)


def render(settings: Mapping[str, Setting]) -> str:
    """Return a PostgreSQL settings file."""
    return "".join(f"{name} = '{_value(value)}'\n" for name, value in settings.items())


def _value(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value).replace("\\", "\\\\").replace("'", "''")


def _initdb_arguments(fresh: Path, options: Options) -> list[str]:
    arguments = [
        f"--pgdata={fresh}",
        f"--pwfile={fresh.with_name('password')}",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
    ]
    if options.program.major >= BUILTIN_LOCALE_SINCE:
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return arguments + (["--no-sync"] if options.relaxed else [])


def _copy_arguments(fresh: Path, options: Options) -> list[str]:
    arguments = [f"--pgdata={fresh}", "--checkpoint=fast", "--wal-method=stream", "--no-password"]
    return arguments + (["--no-sync"] if options.relaxed else [])


def _clean_environment() -> dict[str, str | None]:
    """Keep the caller's own PostgreSQL variables and language away from ours."""
    ours = dict.fromkeys((name for name in os.environ if name.startswith("PG")), None)
    return {**ours, "LC_ALL": "C"}


def _is_ready(status_file: Path, pid: int) -> bool:
    """Return whether the postmaster says that it accepts sessions, as `pg_ctl -w` asks it."""
    try:
        lines = status_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    if len(lines) <= STATUS_LINE or lines[0].strip() != str(pid):
        return False
    return lines[STATUS_LINE].strip() == "ready"
