"""Run the timeline system on given servers: API processes, fan-out writers, a gateway, watched.

A process that ends is started again after a growing pause; one that keeps ending ends the service
with its last words. Children die with this process, however it ends.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncpg
import msgspec

from loadpath.core.backoff import Backoff
from loadpath.core.errors import LoadpathError
from loadpath.local.cancellation import finish, together
from loadpath.local.ports import free_ports
from loadpath.local.probes import http_ready
from loadpath.local.process import Child, Plan
from loadpath.local.server import Server
from loadpath.systems.timeline.fanout.log import position
from loadpath.systems.timeline.fanout.rings import RingStats, TimelineReader
from loadpath.systems.timeline.front import front_settings
from loadpath.systems.timeline.keeping import Keeper, Process
from loadpath.systems.timeline.record.migrate import migrate, shipped
from loadpath.systems.timeline.settings import TimelineSettings

CONFIG: Final = "timeline.toml"
FRONT: Final = "gateway.toml"
FRONT_STOP: Final = 15.0
"""How long the gateway may take to end (s): it lets requests under way finish."""
API_START: Final = 30.0
WRITER_START: Final = 600.0  # it reads the whole graph
MOST_APIS: Final = 64
LOOK_EVERY: Final = 0.02


class ServiceFailedError(LoadpathError, RuntimeError):
    """Report a process of the system that does not stay up; carries its last lines."""


class TimelineService:
    """Run the processes of one timeline system until the block ends.

    Args:
        settings: Of the whole system; PostgreSQL must be there, the rings' folder is made.
        folder: Where the settings file and the processes' logs go.
        apis: How many HTTP processes there are; they share the port.
        behind: Whether a gateway has the port, and each HTTP process one of its own behind it.
        record: The PostgreSQL, where it is ours: running, and stopped by whoever started it. It is
            watched too.
        backoff: Pauses before a process is started again.
        attempts: How often in a row a process may fail to start, or to stay up.

    Attributes:
        settings: Of the whole system.
        config: The settings as the file that every process reads.
        apis: The HTTP processes.
        gateway: What stands before them, None where nothing does.
        admin: Port of the gateway's admin API, None without one.
        writers: The fan-out writers, by shard.
        record: The PostgreSQL that is watched, None where it is not ours.
    """

    def __init__(
        self,
        settings: TimelineSettings,
        *,
        folder: Path,
        apis: int = 1,
        behind: bool = False,
        record: Server | None = None,
        backoff: Backoff | None = None,
        attempts: int = 5,
    ) -> None:
        check_apis(apis)
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {attempts}")
        self.settings = settings
        self.config = folder / CONFIG
        self._ports, self.admin = [settings.api.port] * apis, None
        if behind:
            self.admin, *self._ports = free_ports(apis + 1)
        self.apis = [self._api(folder, number) for number in range(apis)]
        self.gateway = self._front(folder) if behind else None
        self.writers = [self._writer(folder, shard) for shard in range(settings.shards)]
        self.record = record
        self._attempts = attempts
        watched: list[Process] = [*self.children] if record is None else [record, *self.children]
        backoff = backoff or Backoff(base=0.05, cap=5.0, jitter="equal")
        self._keepers = {each: Keeper(each, backoff=backoff, attempts=attempts) for each in watched}
        self._watchers: list[asyncio.Task[None]] = []
        self._owner: asyncio.Task[object] | None = None
        self._failure: ServiceFailedError | None = None

    @property
    def url(self) -> str:
        """Where the system answers HTTP."""
        return f"http://{self.settings.api.host}:{self.settings.api.port}"

    @property
    def children(self) -> list[Child]:
        """Every process of the system, the writers first, the gateway last."""
        front = [] if self.gateway is None else [self.gateway]
        return [*self.writers, *self.apis, *front]

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        try:
            await self._start()
        except BaseException as error:
            await self._end(error)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end(error)

    async def recovered(self) -> None:
        """Wait until every process is up, those that were killed included."""
        for keeper in self._keepers.values():
            await keeper.up.wait()

    async def kill(self, process: Process) -> None:
        """Kill one of the processes, or the record, at once, as a crash would; it is started again.

        Returns when it is dead; `recovered` waits until it is back. However often this is done,
        it does not count as a process that does not stay up.
        """
        await self._keepers[process].kill()

    async def stats(self) -> list[RingStats | None]:
        """Return the counters of every shard's writer; None while one has no rings."""
        return await asyncio.to_thread(self._stats)

    async def drained(self, *, patience: float = 60.0) -> int:
        """Wait until the writers have applied the whole log as it is now.

        Args:
            patience: Seconds to wait.

        Returns:
            How many entries the slowest writer still lacks, 0 when all have everything.
        """
        connection = await asyncpg.connect(self.settings.postgres)
        try:
            last = (await position(connection)).last
        finally:
            connection.terminate()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + patience
        while missing := await self._missing(last):
            if loop.time() > give_up:
                return missing
            await asyncio.sleep(LOOK_EVERY)
        return 0

    async def _missing(self, last: int) -> int:
        """Return how many log entries up to `last` the slowest writer lacks, or rings await."""
        lacking = [last if s is None else last - s.applied + s.dirty for s in await self.stats()]
        return max(0, *lacking)

    def _stats(self) -> list[RingStats | None]:
        settings = self.settings
        reader = TimelineReader(
            Path(settings.rings),
            shards=settings.shards,
            capacity=settings.capacity,
            length=settings.length,
        )
        return [reader.stats(shard) for shard in range(settings.shards)]

    def _write_config(self) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        _write(self.config, as_toml(self.settings))
        if self.admin is None:
            return
        for number, port in enumerate(self._ports):
            api = msgspec.structs.replace(self.settings.api, port=port)
            _write(
                self._config_of(number), as_toml(msgspec.structs.replace(self.settings, api=api))
            )
        front = front_settings(self.settings.api, self._ports, admin=self.admin)
        _write(self.config.with_name(FRONT), front)

    def _config_of(self, number: int) -> Path:
        if self.admin is None:
            return self.config
        return self.config.with_name(f"timeline-{number}.toml")

    def _api(self, folder: Path, number: int) -> Child:
        plan = self._plan(folder, f"api-{number}", ["api", self._config_of(number)], API_START)
        host, port = self.settings.api.host, self._ports[number]
        return Child(plan, ready=http_ready(f"http://{host}:{port}/health"))

    def _front(self, folder: Path) -> Child:
        plan = Plan(
            name="gateway",
            command=[sys.executable, "-m", "loadpath.gateway", self.config.with_name(FRONT)],
            log=folder / "gateway.log",
            owner_folder=folder,
            stop_signals=((signal.SIGTERM, FRONT_STOP),),
            start_timeout=API_START,
        )
        return Child(plan, ready=http_ready(f"{self.url}/health"))

    def _writer(self, folder: Path, shard: int) -> Child:
        name = f"fanout-{shard}"
        plan = self._plan(folder, name, ["fanout", self.config, str(shard)], WRITER_START)
        child: Child

        async def ready() -> bool:
            try:
                stats = (await self.stats())[shard]
            except OSError:  # a folder that cannot be used: the writer itself will say so
                return False
            return stats is not None and stats.pid == child.pid

        child = Child(plan, ready=ready)
        return child

    def _plan(self, folder: Path, name: str, command: Sequence[str | Path], timeout: float) -> Plan:
        module, *arguments = command
        return Plan(
            name=name,
            command=[sys.executable, "-m", f"loadpath.systems.timeline.{module}", *arguments],
            log=folder / f"{name}.log",
            owner_folder=folder,
            start_timeout=timeout,
        )

    async def _start(self) -> None:
        await asyncio.to_thread(self._write_config)
        if self.record is not None:
            self._watch(self.record)
        await migrate_record(self.settings.postgres)
        await together(*(child.start() for child in (*self.writers, *self.apis)))
        if self.gateway is not None:
            await self.gateway.start()
        for child in self.children:
            self._watch(child)

    async def _end(self, error: BaseException | None) -> None:
        """Stop everything; where a process that failed has ended the block, say so instead."""
        await finish(self._stop())
        if self._failure is None:
            return
        if isinstance(error, asyncio.CancelledError) and self._owner is not None:
            self._owner.uncancel()
        raise self._failure

    async def _stop(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        stopped = (child.stop() for child in reversed(self.children))
        for outcome in await asyncio.gather(*stopped, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def _watch(self, process: Process) -> None:
        keeper = self._keepers[process]
        keeper.up.set()
        self._watchers.append(asyncio.create_task(self._keep(keeper)))

    async def _keep(self, keeper: Keeper) -> None:
        """Keep a process up, or end the block that the service runs for."""
        failure = await keeper.keep()
        if self._failure is not None:
            return
        self._failure = ServiceFailedError(
            f"gave up a process that failed {self._attempts + 1} times in a row, the last time: "
            f"{failure}"
        )
        if self._owner is not None:
            self._owner.cancel()


def check_apis(apis: int) -> None:
    """Refuse a number of HTTP processes.

    Raises:
        ValueError: No machine runs that many well.
    """
    if not 1 <= apis <= MOST_APIS:
        raise ValueError(f"apis must be 1 to {MOST_APIS}, about one a core: {apis}")


async def migrate_record(dsn: str) -> None:
    """Bring a record's schema up to date.

    Args:
        dsn: Where PostgreSQL is.

    Raises:
        MigrationError: The schema is newer than this code, or a migration was changed.
    """
    migrations = await asyncio.to_thread(shipped)
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, migrations)
    finally:
        connection.terminate()


def _write(file: Path, text: str) -> None:
    """Write a file that nobody else may read: it holds the record's address."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def as_toml(settings: TimelineSettings) -> str:
    """Return the settings as the TOML file that every process reads."""
    values = msgspec.to_builtins(settings)
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    lines = [f"{name} = {_toml(value)}" for name, value in plain.items()]
    for table, entries in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{name} = {_toml(value)}" for name, value in entries.items()]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Return a number, or a string, whose JSON escapes TOML shares."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
