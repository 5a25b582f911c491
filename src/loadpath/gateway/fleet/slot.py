"""One worker's place: its sockets stay, its process is started again when it ends."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Literal, Protocol

from loadpath.core.backoff import Backoff
from loadpath.core.errors import LoadpathError
from loadpath.gateway.fleet.channel import Channel, open_channel
from loadpath.gateway.orders import (
    Done,
    Drain,
    Ejected,
    Message,
    Ready,
    Report,
    Serve,
    WorkerFigures,
)
from loadpath.gateway.settings.gateway import GatewaySettings

STEADY = 10.0
"""How long a worker must have lived for its next pause to be the first one again (s)."""

ANSWER_WITHIN = 30.0
"""How long an order may take (s)."""

LAST_WORDS = 2.0
"""How long a worker that did not come up may take to say why (s)."""

KILL_AFTER = 5.0
"""How long beyond its patience a worker may take to end (s)."""

BACKOFF = Backoff(base=0.05, cap=5.0, jitter="equal")


class WorkerFailedError(LoadpathError, RuntimeError):
    """Report a worker that did not come up, or did not answer."""


class Owner(Protocol):
    """Own workers."""

    def settings_now(self) -> GatewaySettings:
        """Return what is served."""
        ...

    def drained_now(self) -> list[tuple[str, str]]:
        """Return the endpoints that an operator took out: upstream and address."""
        ...

    def came_up(self, slot: "Slot") -> None:
        """Learn that a worker serves what it was told when it started."""
        ...

    def heard(self, slot: "Slot", told: Ejected) -> None:
        """Learn that a worker's traffic has ejected an endpoint."""
        ...


class Slot:
    """Keep one worker running.

    Args:
        number: Its number.
        sockets: What it listens on; they outlive its process.
        owner: Whose it is.

    Attributes:
        number: Its number.
        state: What it does.
        restarts: How often it was started again.
        served: What it serves, None while it does not.
        drained: Endpoints that were out when it was started.
        first: Set when it served for the first time, or failed to.
    """

    def __init__(self, number: int, sockets: Sequence[socket.socket], owner: Owner) -> None:
        self.number = number
        self.state: Literal["starting", "serving", "gone"] = "gone"
        self.restarts = 0
        self.served: GatewaySettings | None = None
        self.drained: frozenset[tuple[str, str]] = frozenset()
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sockets = sockets
        self._owner = owner
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel[Report] | None = None
        self._answers: dict[int, asyncio.Future[Report]] = {}
        self._numbers = 0
        self._ending = False
        self._random = Random()  # noqa: S311 - spreads restarts, keeps no secret

    @property
    def pid(self) -> int | None:
        """Its process, None while there is none."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def keep(self) -> None:
        """Run the worker, and start it again whenever it ends, until `end`."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self._ending:
            began = loop.time()
            await self._run()
            self.state = "gone"
            if not self.first.done() and not self._is_ending():
                code = None if self._process is None else self._process.returncode
                self.first.set_exception(
                    WorkerFailedError(f"a worker did not come up (exit code {code}): see its words")
                )
                return
            if self._is_ending():
                return
            attempt = 1 if loop.time() - began > STEADY else attempt + 1
            self.restarts += 1
            await asyncio.sleep(BACKOFF.delay(attempt, self._random))

    def tell(self, message: Message) -> None:
        """Tell the worker something, if it is there."""
        if self._channel is not None:
            self._channel.send(message)

    def number_next(self) -> int:
        """Return a number for an order that is answered."""
        self._numbers += 1
        return self._numbers

    async def order(self, message: Message, number: int) -> Report:
        """Tell the worker something and return its answer.

        Raises:
            WorkerFailedError: It is not there, or does not answer.
        """
        if self.state != "serving" or self._channel is None:
            raise WorkerFailedError(f"worker {self.number} does not serve now")
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._channel.send(message)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await answer
        except TimeoutError as error:
            raise WorkerFailedError(f"worker {self.number} did not answer") from error
        finally:
            self._answers.pop(number, None)

    def retire(self) -> None:
        """Start the worker no more."""
        self._ending = True

    async def end(self, patience: float) -> None:
        """Let the worker finish what it does, at most `patience` seconds."""
        self._ending = True
        self.tell(Drain())
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(patience + KILL_AFTER):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    def _is_ending(self) -> bool:
        return self._ending

    async def _run(self) -> None:
        """Run one process until it ends."""
        self.state = "starting"
        settings = self._owner.settings_now()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                self._process = await self._spawn(theirs)
            self._channel = await open_channel(ours, Report)
        except BaseException:
            ours.close()
            raise
        try:
            self.drained = frozenset(self._owner.drained_now())
            self._channel.send(Serve(self.number, settings, sorted(self.drained)))
            while (report := await self._channel.receive()) is not None:
                self._hear(report, settings)
        finally:
            await self._leave()

    async def _spawn(self, control: socket.socket) -> asyncio.subprocess.Process:
        inherited = [control.fileno(), *(each.fileno() for each in self._sockets)]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "loadpath.gateway.fleet.worker",
            *map(str, inherited),
            pass_fds=inherited,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def _hear(self, report: Report, settings: GatewaySettings) -> None:
        match report:
            case Ready():
                self.state = "serving"
                self.served = settings
                self._owner.came_up(self)
                if not self.first.done():
                    self.first.set_result(None)
            case Ejected():
                self._owner.heard(self, report)
            case Done() | WorkerFigures():
                answer = self._answers.get(report.number)
                if answer is not None and not answer.done():
                    answer.set_result(report)

    async def _leave(self) -> None:
        """Leave nothing of a process that has let go of us; one that still drains may finish."""
        self.served = None
        if self.state == "starting" and self._process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._process.wait()
        if not self._ending:
            self.state = "gone"
            self.kill()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(WorkerFailedError(f"worker {self.number} ended"))
        if self._process is not None:
            await self._process.wait()
