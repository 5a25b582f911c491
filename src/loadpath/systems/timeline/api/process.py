"""The API as a process: read the settings, open the record, serve until a signal.

One process, one event loop. Several processes may serve the same port. It listens only when the
record is there; SIGTERM and SIGINT let requests under way finish.
"""

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from loadpath.core.errors import LoadpathError, RejectedError
from loadpath.core.ids import SnowflakeIds
from loadpath.core.settings import load
from loadpath.systems.timeline.api.app import Parts, TimelineApi, application
from loadpath.systems.timeline.api.assets import page
from loadpath.systems.timeline.api.cursors import Cursors
from loadpath.systems.timeline.api.groupcommit import BatchPolicy, GroupCommit
from loadpath.systems.timeline.api.passwords import Passwords
from loadpath.systems.timeline.api.posts import PostCache
from loadpath.systems.timeline.api.protocol import BoundedHttpProtocol
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.api.users import UserCache
from loadpath.systems.timeline.api.web import answer_to, send_answer
from loadpath.systems.timeline.fanout.rings import TimelineReader
from loadpath.systems.timeline.record.outage import Retries
from loadpath.systems.timeline.record.postgres import Record, RecordError, RecordUnavailableError
from loadpath.systems.timeline.settings import TimelineSettings

MAX_REQUESTS = 20_000
"""Requests under way in one process; more are answered with 503 at once."""

MOST_FILES = 65_536
"""Open files that one process asks the system for, most of them connections of clients."""

_DRAIN = 10  # seconds that requests under way get to finish
_KEEP_ALIVE = 65  # seconds, longer than the usual client's
_SWEEP_EVERY = 60.0
_SWEEP_STEP = 1_000
_SWEEP_STEPS = 1_000
_SWEEP_PAUSE = 0.05
_REFRESH_EVERY = 1.0
_RECORD_PATIENCE = 10.0
_log = logging.getLogger(__name__)


class PortTakenError(LoadpathError, OSError):
    """Report that this process cannot listen where it was told to."""


class Admission:
    """Bound the requests under way; this is an ASGI application around another.

    Args:
        app: Answers those that are admitted.
        most: Requests under way at once.
    """

    def __init__(self, app: ASGIApp, *, most: int = MAX_REQUESTS) -> None:
        self._app = app
        self._most = most
        self._entered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if self._entered >= self._most:
            busy = RejectedError("too many requests are under way", retry_after=1.0)
            await send_answer(answer_to(busy), send)
            return
        self._entered += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._entered -= 1


class ApiServer(uvicorn.Server):
    """Serve until told to stop, and leave the signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would kill the process before the record is closed."""
        yield


@asynccontextmanager
async def timeline_app(settings: TimelineSettings) -> AsyncIterator[ASGIApp]:
    """Give the ASGI application over an open record until the block ends.

    Raises:
        RecordUnavailableError: PostgreSQL cannot be reached.
        MigrationError: The record's schema does not fit.
    """
    api = settings.api
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        record = await _opened(stack, settings)
        reader = await asyncio.to_thread(_reader, settings)
        secret = record.identity.secret
        parts = Parts(
            record=record,
            commits=await enter(
                GroupCommit(
                    record.publish,
                    SnowflakeIds(record.node, after=record.newest),
                    policy=BatchPolicy(max_waiting=api.max_pending_posts),
                )
            ),
            timelines=reader,
            tokens=Tokens(secret),
            cursors=Cursors(secret),
            passwords=await enter(Passwords()),
            cache=PostCache(entries=api.cached_posts, size=api.cached_bytes),
            users=await enter(UserCache(record.user, entries=api.cached_users)),
            token_lifetime=api.token_lifetime,
        )
        await enter(_repeated(_SWEEP_EVERY, lambda: _forget_old_keys(record)))
        await enter(_repeated(_REFRESH_EVERY, lambda: asyncio.to_thread(reader.refresh)))
        operations = TimelineApi(parts, rings_ready=lambda: reader.complete).operations()
        assets = await asyncio.to_thread(page)
        yield Admission(
            application(operations, assets, verify=parts.tokens.verify, max_body=api.max_body)
        )


async def _opened(stack: AsyncExitStack, settings: TimelineSettings) -> Record:
    """Open the record, waiting for one that is away for a moment, as its server recovers."""
    loop, retries = asyncio.get_running_loop(), Retries()
    give_up = loop.time() + _RECORD_PATIENCE
    while True:
        opening = Record.open(settings.postgres, connections=settings.api.connections)
        try:
            return await stack.enter_async_context(opening)
        except RecordUnavailableError:
            if loop.time() > give_up:
                raise
            await asyncio.sleep(retries.delay())


async def serve(settings: TimelineSettings, *, stop: asyncio.Event | None = None) -> None:
    """Serve until `stop` is set, then let requests under way finish.

    Raises:
        PortTakenError: Another program listens there, or the address is not this machine's.
        RecordUnavailableError: PostgreSQL cannot be reached.
        MigrationError: The record's schema does not fit.
    """
    async with timeline_app(settings) as app:
        with listener(settings.api.host, settings.api.port) as listening:
            server = ApiServer(server_config(app))
            watch = asyncio.create_task(_stop_when(stop or asyncio.Event(), server))
            try:
                await server.serve(sockets=[listening])
            finally:
                watch.cancel()


def server_config(app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn runs an application here; benchmarks run their peer the same way."""
    return uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_DRAIN,
    )


@contextmanager
def listener(host: str, port: int) -> Iterator[socket.socket]:
    """Give a socket that listens on a port which other processes of the system may share.

    Raises:
        PortTakenError: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise PortTakenError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose another `api.port`, "
                "or stop the program that has it"
            ) from error
        listening.setblocking(False)
        yield listening


def main(arguments: Sequence[str]) -> int:
    """Run the process; return its exit code.

    Args:
        arguments: The settings file.
    """
    if len(arguments) != 1:
        print("usage: python -m loadpath.systems.timeline.api CONFIG.toml", file=sys.stderr)  # noqa: T201 - a command's own words
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns at every bad request
    _ask_for_files()
    try:
        settings = load(arguments[0], TimelineSettings)
        uvloop.run(_serve_until_signal(settings))
    except LoadpathError as error:
        print(f"timeline api: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 1
    return 0


def _ask_for_files() -> None:
    """Raise the limit of open files: the usual one would end at a thousand clients."""
    limited, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if limited != resource.RLIM_INFINITY and limited < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


async def _serve_until_signal(settings: TimelineSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(settings, stop=stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await serving


async def _stop_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


def _reader(settings: TimelineSettings) -> TimelineReader:
    return TimelineReader(
        Path(settings.rings),
        shards=settings.shards,
        capacity=settings.capacity,
        length=settings.length,
    )


async def _forget_old_keys(record: Record) -> None:
    """Delete what has expired, in small steps with pauses between them."""
    for _ in range(_SWEEP_STEPS):
        if await record.forget_keys(limit=_SWEEP_STEP) < _SWEEP_STEP:
            return
        await asyncio.sleep(_SWEEP_PAUSE)


@asynccontextmanager
async def _repeated(
    every: float, work: Callable[[], Coroutine[Any, Any, object]]
) -> AsyncIterator[None]:
    """Do some work every so many seconds until the block ends; a failure is logged, once."""
    task = asyncio.create_task(_repeat(every, work))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _repeat(every: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    failing = False
    while True:
        await asyncio.sleep(every)
        try:
            await work()
        except (RecordError, OSError) as error:
            if not failing:
                _log.warning("%s; trying again every %.0f s", error, every)
            failing = True
        else:
            failing = False
