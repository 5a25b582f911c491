"""The fan-out writer of one shard, as a process: from the record's log into the rings.

It goes on where the last writer of this shard was stopped or killed, or makes the rings anew from
the record. SIGTERM and SIGINT stop it between two batches.

Guide: chapter 7.1, `updateFollowersTimeline`.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final, Self

import uvloop

from loadpath.core.errors import LoadpathError
from loadpath.core.settings import load
from loadpath.systems.timeline.fanout import storage
from loadpath.systems.timeline.fanout.engine import FanoutEngine
from loadpath.systems.timeline.fanout.log import follow_log
from loadpath.systems.timeline.fanout.rewrite import Rewriter
from loadpath.systems.timeline.fanout.ringfile import Geometry, Header, RingFile
from loadpath.systems.timeline.fanout.rings import RingTimelines, stats_of
from loadpath.systems.timeline.fanout.snapshot import Snapshot
from loadpath.systems.timeline.fanout.trim import report, trim
from loadpath.systems.timeline.record.migrate import migrate, shipped
from loadpath.systems.timeline.record.outage import FAILURES, Retries, connected, is_outage
from loadpath.systems.timeline.settings import TimelineSettings

HEARTBEAT: Final = 0.5
REPORT_EVERY: Final = 10.0

_logger = logging.getLogger(__name__)


class FanoutWriter:
    """Keep the rings of one shard up to date; made by `FanoutWriter.of`.

    Attributes:
        file: The ring file.
        engine: What decides.
    """

    def __init__(self, settings: TimelineSettings, file: RingFile, engine: FanoutEngine) -> None:
        self._settings = settings
        self.file = file
        self.engine = engine
        self._rewriter = Rewriter(engine, length=settings.length)

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: TimelineSettings, shard: int) -> AsyncIterator[Self]:
        """Own a shard's rings until the block ends; they are ready to be read when it begins.

        Waits for a record that is away.

        Args:
            settings: Of the whole system.
            shard: Which shard.

        Raises:
            SecondWriterError: Another process owns them.
            RingFileError: The folder cannot hold them.
            MigrationError: The record's schema is newer than this code.
            ValueError: There is no such shard.
        """
        geometry = Geometry(
            shard=shard,
            shards=settings.shards,
            capacity=settings.capacity,
            length=settings.length,
        )
        lock = storage.only_writer(Path(settings.rings), geometry)
        await asyncio.to_thread(lock.__enter__)
        try:
            file, engine = await _start(settings, geometry)
            yield cls(settings, file, engine)
        finally:
            lock.__exit__(None, None, None)

    async def run(self) -> None:
        """Apply the log until cancelled.

        Raises:
            LogLostError: The record no longer has the log that the rings were made of.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._apply())
            tasks.create_task(self._rewriter.run(self._settings.postgres))
            tasks.create_task(self._report())
            tasks.create_task(self._beat())

    async def _apply(self) -> None:
        settings, engine = self._settings, self.engine
        self._rewriter.wake()
        log = follow_log(
            settings.postgres,
            self.file.record,
            engine.applied,
            limit=settings.fanout.batch,
            poll=settings.fanout.poll,
        )
        async with aclosing(log) as batches:
            async for batch in batches:
                engine.apply(batch, now=time.time())
                self._rewriter.wake()

    async def _report(self) -> None:
        """Report progress and trim the log, every few seconds."""
        shard, dsn = self.file.geometry.shard, self._settings.postgres
        while True:
            try:
                async with connected(dsn) as connection:
                    await report(connection, shard, self.engine.applied)
                    await trim(connection, self._settings.shards)
            except FAILURES as error:
                if not is_outage(error):
                    raise
                _logger.warning("progress was not reported (%s)", error)
            await asyncio.sleep(REPORT_EVERY)

    async def _beat(self) -> None:
        header = self.file.header
        header[Header.PID] = os.getpid()
        while True:
            header[Header.HEARTBEAT] = int(time.time() * 1e6)
            await asyncio.sleep(HEARTBEAT)


async def _start(settings: TimelineSettings, geometry: Geometry) -> tuple[RingFile, FanoutEngine]:
    """Try until the record is there."""
    retries = Retries()
    while True:
        try:
            return await _load(settings, geometry)
        except FAILURES as error:
            if isinstance(error, LoadpathError) or not is_outage(error):
                raise
            delay = retries.delay()
            _logger.warning("the record is away (%s), trying again in %.2f s", error, delay)
            await asyncio.sleep(delay)


async def _load(settings: TimelineSettings, geometry: Geometry) -> tuple[RingFile, FanoutEngine]:
    """Load the graph, and go on with the rings or make them anew, all from one snapshot."""
    folder = Path(settings.rings)
    async with connected(settings.postgres) as connection:
        await migrate(connection, await asyncio.to_thread(shipped))
    async with Snapshot.of(settings.postgres) as snapshot:
        log = snapshot.position
        left = await asyncio.to_thread(storage.reopen, folder, geometry, log)
        if left is not None:
            file = left
        else:
            file = await asyncio.to_thread(storage.replace, folder, geometry, log)
        await asyncio.to_thread(file.allocate, await snapshot.users())
        graph = await snapshot.graph(geometry)
        if left is None:
            await snapshot.fill(RingTimelines(file), graph)
            storage.make_ready(file, log)
    _logger.info("shard %d: %d edges at offset %d", geometry.shard, len(graph), log.last)
    return file, FanoutEngine(RingTimelines(file), graph)


async def serve(settings: TimelineSettings, shard: int) -> None:
    """Run a writer until SIGTERM or SIGINT.

    Args:
        settings: Of the whole system.
        shard: Which shard.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    work = asyncio.create_task(_work(settings, shard))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        work.cancel()
    try:
        await work
    except asyncio.CancelledError:
        _logger.info("shard %d: stopped", shard)


async def _work(settings: TimelineSettings, shard: int) -> None:
    async with FanoutWriter.of(settings, shard) as writer:
        applied = stats_of(writer.file.header).applied
        print(f"fan-out shard {shard} ready at offset {applied}", flush=True)  # noqa: T201 - for the supervisor
        await writer.run()


def main(arguments: Sequence[str]) -> int:
    """Run the process; return its exit code.

    Args:
        arguments: Settings file and shard.
    """
    parser = argparse.ArgumentParser(prog="python -m loadpath.systems.timeline.fanout")
    parser.add_argument("config", help="TOML file with the settings of the whole system")
    parser.add_argument("shard", type=int, help="shard to write, from 0")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    code = 0
    try:
        uvloop.run(serve(load(given.config, TimelineSettings), given.shard))
    except* (LoadpathError, ValueError, *FAILURES) as group:
        for error in _leaves(group):
            print(f"fan-out: {error}", file=sys.stderr)  # noqa: T201 - for people
        code = 1
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
