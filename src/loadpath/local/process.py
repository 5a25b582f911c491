"""Own one process: start it, wait until it answers, watch it, stop it; it dies with its owner.

The owner of servers and of our own Python children alike. A child is started by `launch.py`, so
that the kernel ends it when this process is killed; its output goes to a file of bounded size.
"""

import asyncio
import math
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from loadpath.local.cancellation import finish, in_thread, made_in_thread
from loadpath.local.errors import ServerError
from loadpath.local.identity import Identity, launch_command
from loadpath.local.logs import LIMIT, tail, trim
from loadpath.local.probes import Probe, until
from loadpath.local.strays import OWNER_VARIABLE

LOOK_EVERY = 1.0
KILL_PATIENCE = 10.0

# The kernel ties a child's life to the thread that started it: this one lives as long as we do.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="loadpath-start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what to run and how to end it.

    Attributes:
        name: What messages call it.
        command: Absolute path of the program, and its arguments.
        log: File that its output is appended to.
        log_limit: Largest size of that file (bytes); the older half is dropped beyond it.
        folder: Working folder.
        owner_folder: Folder whose next owner ends this process where the kernel did not.
        env: Variables set on top of ours; None removes one.
        identity: As whom to run, None for unchanged.
        stop_signals: Signals that ask it to end, in order, each with its patience (s).
        death_signal: Signal that the kernel sends when the owner dies (Linux).
        start_timeout: Seconds until it must be ready.
    """

    name: str
    command: Sequence[str | os.PathLike[str]]
    log: Path
    log_limit: int = LIMIT
    folder: Path | None = None
    owner_folder: Path | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)
    identity: Identity | None = None
    stop_signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10.0),)
    death_signal: signal.Signals = signal.SIGKILL
    start_timeout: float = 30.0

    def __post_init__(self) -> None:
        if not self.command or not os.path.isabs(self.command[0]):  # noqa: PTH117 - str or path
            raise ValueError(f"command must begin with an absolute path: {self.command!r}")
        if self.log_limit < 1:
            raise ValueError(f"log_limit must be at least 1 byte: {self.log_limit}")
        checked_start_timeout(self.start_timeout)

    @property
    def environment(self) -> dict[str, str]:
        """The child's whole environment."""
        merged: dict[str, str | None] = {**os.environ, **self.env}
        if self.owner_folder is not None:
            merged[OWNER_VARIABLE] = str(self.owner_folder)
        return {name: value for name, value in merged.items() if value is not None}


def checked_start_timeout(seconds: float) -> float:
    """Return the patience with a start that a caller asked for.

    Raises:
        ValueError: It is none.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(f"start_timeout must be a number of seconds above 0: {seconds}")
    return seconds


class Child:
    """Own one process as an async context manager.

    Args:
        plan: What to run.
        ready: Tells whether it answers; asked until True. None: ready once it is started.
    """

    def __init__(self, plan: Plan, *, ready: Probe | None = None) -> None:
        self.plan = plan
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._exited: asyncio.Future[int] | None = None
        self._log_keeper: asyncio.Task[None] | None = None
        self._log_start = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.plan.name

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._exited is not None and not self._exited.done()

    @property
    def pid(self) -> int:
        """Id of the process, the last one's after its end."""
        if self._process is None:
            raise ServerError(self.plan.name, "was never started")
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, the negative signal number when a signal ended it; None until the end."""
        return self._exited.result() if self._exited and self._exited.done() else None

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            ServerError: It ended, or was not ready in time; carries its last lines.
        """
        if self.running:
            raise ServerError(self.plan.name, f"runs already (process {self.pid})")
        spawned = await made_in_thread(
            partial(_spawn, self.plan), undo=_undo_spawn, executor=_STARTER
        )
        self._process, self._log_start = spawned
        self._exited = _exit_of(self._process)
        self._log_keeper = asyncio.create_task(self._keep_log(self._exited))
        try:
            await self._until_ready(self._exited)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask the process to end, kill it when it does not; returns when it is gone.

        Raises:
            ServerError: It did not even end when killed.
        """
        await finish(self._stop())

    async def kill(self) -> None:
        """Kill the process at once (SIGKILL), as a crash would."""
        self.send_signal(signal.SIGKILL)
        await finish(self._gone())

    async def restart(self) -> None:
        """Stop the process if it runs, and start it again."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Wait until the process ends, for whatever reason.

        Returns:
            Its exit status; the negative signal number when a signal ended it.
        """
        if self._exited is None:
            raise ServerError(self.plan.name, "was never started")
        return await asyncio.shield(self._exited)

    async def tail(self) -> str:
        """Return the last lines that the process wrote since it was last started."""
        return await in_thread(tail, self.plan.log, start=self._log_start)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    async def _until_ready(self, exited: "asyncio.Future[int]") -> None:
        if self._ready is None:
            return
        ready = asyncio.create_task(until(self._ready))
        either: set[asyncio.Future[Any]] = {ready, exited}
        try:
            await asyncio.wait(
                either,
                timeout=self.plan.start_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if exited.done():
                raise await self._error(f"ended with status {exited.result()} while starting")
            if not ready.done():
                raise await self._error(f"was not ready in {self.plan.start_timeout:g} s")
            ready.result()
        finally:
            ready.cancel()
            await asyncio.wait([ready])

    async def _error(self, message: str) -> ServerError:
        return ServerError(self.plan.name, message, log=await self.tail())

    async def _stop(self) -> None:
        for number, patience in self.plan.stop_signals:
            if not self.running:
                break
            self.send_signal(number)
            await self._gone_within(patience)
        self.send_signal(signal.SIGKILL)
        await self._gone()

    async def _gone(self) -> None:
        if not await self._gone_within(KILL_PATIENCE):
            raise await self._error(f"process {self.pid} does not end, although killed")
        if self._log_keeper is not None:
            await asyncio.wait([self._log_keeper])

    async def _gone_within(self, patience: float) -> bool:
        if self._exited is not None:
            await asyncio.wait([self._exited], timeout=patience)
        return not self.running

    async def _keep_log(self, exited: "asyncio.Future[int]") -> None:
        while not exited.done():
            await asyncio.wait([exited], timeout=LOOK_EVERY)
            if await in_thread(trim, self.plan.log, limit=self.plan.log_limit):
                self._log_start = 0


async def run(plan: Plan) -> str:
    """Run a command to its end.

    Returns:
        The last lines of its output.

    Raises:
        ServerError: It failed, or took longer than `start_timeout`; carries its last lines.
    """
    async with Child(plan) as child:
        try:
            async with asyncio.timeout(plan.start_timeout):
                status = await child.wait()
        except TimeoutError:
            status = None
        said = await child.tail()
    if status is None:
        raise ServerError(plan.name, f"took longer than {plan.start_timeout:g} s", log=said)
    if status != 0:
        raise ServerError(plan.name, f"failed with status {status}", log=said)
    return said


def _spawn(plan: Plan) -> tuple[subprocess.Popen[bytes], int]:
    command = launch_command(
        plan.command,
        owner=os.getpid(),
        death_signal=plan.death_signal,
        identity=plan.identity,
    )
    try:
        with plan.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=plan.folder,
                env=plan.environment,
                # Ctrl-C reaches the owner only, who stops its children in order.
                start_new_session=True,
            )
            return process, log.tell()
    except OSError as error:
        raise ServerError(plan.name, f"could not be started: {error}") from error


def _undo_spawn(spawned: tuple[subprocess.Popen[bytes], int]) -> None:
    process, _ = spawned
    process.kill()
    process.wait()


def _exit_of(process: subprocess.Popen[bytes]) -> "asyncio.Future[int]":
    """Return a future that gets the exit status; a thread of its own waits for it."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int] = loop.create_future()

    def tell(status: int) -> None:
        if not exited.done():
            exited.set_result(status)

    def wait() -> None:
        status = process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(tell, status)

    Thread(target=wait, name=f"loadpath-wait-{process.pid}", daemon=True).start()
    return exited
