"""Keep one process up: start it again after a growing pause, until it fails too often in a row."""

import asyncio
from random import Random
from typing import Final, Protocol

from loadpath.core.backoff import Backoff
from loadpath.local.errors import ServerError

STEADY: Final = 1.0
"""Seconds that a process must have been up for its end to count as a new trouble."""


class Process(Protocol):
    """What a process of ours and a server of this machine share."""

    @property
    def name(self) -> str:
        """What messages call it."""

    async def start(self) -> None:
        """Start it and wait until it is ready; raises `ServerError`."""

    async def kill(self) -> None:
        """Kill it at once."""

    async def wait(self) -> int:
        """Wait until it ends and return its exit status."""

    async def tail(self) -> str:
        """Return the last lines that it wrote since it was last started."""


class Keeper:
    """Keep one process up that somebody else has started and will stop.

    Args:
        process: The process.
        backoff: Pauses before it is started again.
        attempts: How often in a row it may fail to start, or to stay up.

    Attributes:
        process: The process.
        up: Set while it is up, as far as is known.
    """

    def __init__(self, process: Process, *, backoff: Backoff, attempts: int) -> None:
        self.process = process
        self.up = asyncio.Event()
        self._backoff = backoff
        self._attempts = attempts
        self._killed = self._steady = False

    async def kill(self) -> None:
        """Kill the process at once; that does not count as a failure."""
        self.up.clear()
        self._killed = True
        await self.process.kill()

    async def keep(self) -> ServerError:
        """Start the process again whenever it ends.

        Returns:
            Its last failure, once it fails too often in a row.
        """
        failures, failure = 1, await self._end()
        while failures <= self._attempts:
            failure = await self._start_again(failures) or await self._end()
            failures = 1 if self._steady else failures + 1
        return failure

    async def _end(self) -> ServerError:
        """Wait for the end of the process, and return what is to be said about it."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        status = await self.process.wait()
        self.up.clear()
        self._steady = self._killed or loop.time() - since >= STEADY
        self._killed = False
        return ServerError(
            self.process.name, f"ended with status {status}", log=await self.process.tail()
        )

    async def _start_again(self, failures: int) -> ServerError | None:
        await asyncio.sleep(self._backoff.delay(failures, Random()))  # noqa: S311 - spreads restarts
        self._steady = False
        try:
            await self.process.start()
        except ServerError as error:
            return error
        except OSError as error:
            return ServerError(self.process.name, f"could not be started: {error}")
        self.up.set()
        return None
