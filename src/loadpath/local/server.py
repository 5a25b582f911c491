"""What every server here has in common: a folder, a port, a process, and an end."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loadpath.local.cancellation import finish, in_thread
from loadpath.local.errors import ServerError
from loadpath.local.facts import Facts
from loadpath.local.folders import on_disk
from loadpath.local.ports import on_free_port
from loadpath.local.probes import Probe
from loadpath.local.process import Child, Plan
from loadpath.local.programs import Program
from loadpath.local.strays import stop_strays


class Server(ABC):
    """One server that can be started, killed, started again and stopped.

    Attributes:
        name: What messages call it.
        folder: Its folder: data, settings, log.
        port: Loopback port, the same after a restart; None before the first start.
        facts: What it promises; set once it has started.
    """

    facts: Facts

    def __init__(self, name: str, folder: Path, program: Program, *, port: int | None) -> None:
        self.name = name
        self.folder = folder
        self.port = port
        self._program = program
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """File with the server's last output, bounded in size."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """Id of the server's first process."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether that process is alive."""
        return self._child is not None and self._child.running

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServerError: It did not come up; carries its last lines.
        """
        if self.running:
            raise ServerError(self.name, f"runs already (process {self.pid}): restart it instead")
        await in_thread(stop_strays, self.folder)
        try:
            if self.port is None:
                await on_free_port(self.start_on)
            else:
                await self.start_on(self.port)
        except BaseException:
            await self.stop()
            raise

    @abstractmethod
    async def start_on(self, port: int) -> None:
        """Start the server on this very port and wait until it answers."""

    async def stop(self) -> None:
        """Stop the server in order: what it acknowledged is kept."""
        if self._child is not None:
            await finish(self._stop(self._child))

    async def kill(self) -> None:
        """Kill the server's first process (SIGKILL), as a crash would."""
        await self._started().kill()

    async def restart(self) -> None:
        """Stop the server if it runs and start it again, on the same port."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Wait until the server ends, for whatever reason, and return its exit status."""
        return await self._started().wait()

    async def tail(self) -> str:
        """Return the last lines that the server wrote since it was last started."""
        return await self._started().tail()

    def _started(self) -> Child:
        if self._child is None:
            raise ServerError(self.name, "was never started")
        return self._child

    async def _begin(self, port: int, plan: Plan, ready: Probe) -> None:
        self._child = Child(plan, ready=ready)
        await self._child.start()
        self.port = port

    async def _stop(self, child: Child) -> None:
        await child.stop()
        if child.status:
            # A first process that was killed may have left others.
            await in_thread(stop_strays, self.folder)

    async def _facts(self, data: Path, *, policy: str, synced: bool) -> Facts:
        return Facts(
            name=self._program.name,
            version=self._program.version,
            source=self._program.source,
            policy=policy,
            synced=synced,
            folder=data,
            on_disk=await in_thread(on_disk, data),
        )


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[None]:
    """Start a server; stop it at the end of the block."""
    await server.start()
    try:
        yield
    finally:
        await server.stop()
