"""A link between two processes that a test can cut, slow down and reset; no root needed.

It is a TCP proxy in the test's own process. A cut is a black hole, as a network's is: whoever is
connected hears nothing, not even an end, and the bytes arrive when the cut heals. What had left the
link before the cut is not called back.
"""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from loadpath.testing.pacing import CALM, Conditions, Cut, Direction, Pacer, Step

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 1_000
PIECE: Final = 16 * 1024
PIECES: Final = 64
"""Pieces that one direction of a connection holds; then its sender has to wait."""

_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes and when they may leave; an end has none."""

    due: float
    data: bytes = b""
    lost: bool = False


class Link:
    """Pass bytes between whoever connects and one server; an async context manager.

    Args:
        port: The server's port.
        host: The server's address.
        listen_port: The link's own port on loopback; 0 for a free one.
        seed: Decides the jitter.
        conditions: What holds at first.

    Attributes:
        port: The link's own port, on loopback.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = LOOPBACK,
        listen_port: int = 0,
        seed: int = 0,
        conditions: Conditions = CALM,
    ) -> None:
        self.port = listen_port
        self._target = (host, port)
        self._random = Random(seed)  # noqa: S311 - a seed repeats a run
        self._conditions = conditions
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._listener: socket.socket | None = None

    async def __aenter__(self) -> Self:
        # No asyncio server: a connection that comes while one is closed is never let go of.
        listener = socket.create_server((LOOPBACK, self.port), backlog=MOST_CONNECTIONS)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await _ended(tasks)

    @property
    def conditions(self) -> Conditions:
        """What holds now."""
        return self._conditions

    @property
    def connections(self) -> int:
        """Connections that pass, waiting ones included."""
        return len(self._tasks)

    def set(self, conditions: Conditions) -> None:
        """Let other conditions hold from now on, also for bytes that wait in a cut."""
        self._conditions = conditions
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self, cut: Cut = "both") -> None:
        """Let nothing pass, one way or both; the other conditions stay."""
        self.set(replace(self._conditions, cut=cut))

    def heal(self) -> None:
        """Let everything pass undisturbed; what waited in a cut arrives now."""
        self.set(CALM)

    def reset(self) -> None:
        """End every connection that passes with a TCP reset, to both sides."""
        for writer in tuple(self._ends):
            _reset(writer)

    async def play(self, steps: Iterable[Step]) -> None:
        """Follow a schedule to its end, which then holds; steps count from now.

        Cancelled, it leaves what holds at that moment.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        for step in sorted(steps, key=lambda each: each.at):
            await asyncio.sleep(start + step.at - loop.time())
            self.set(step.conditions)
            if step.reset:
                self.reset()

    def _accept(self, listener: socket.socket) -> None:
        try:
            near, _ = listener.accept()
        except OSError:  # it went away again
            return
        near.setblocking(False)
        if len(self._tasks) >= MOST_CONNECTIONS:
            near.close()
            return
        task = asyncio.create_task(self._carry(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step runs no `finally` of its own.
        task.add_done_callback(lambda _: near.close())

    async def _carry(self, near: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=near, limit=PIECE)
        self._ends.add(writer)
        try:
            await self._until(0.0, "forward")
            await self._join(reader, writer)
        finally:
            self._drop(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection(*self._target, limit=PIECE)
        except OSError:
            await self._until(0.0, "back")
            return
        self._ends.add(far)
        try:
            await _all(self._pass(reader, far, "forward"), self._pass(far_reader, writer, "back"))
            for end in (writer, far):
                end.close()
        except OSError:
            return
        finally:
            self._drop(far)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        """Let go of one end of a connection; it is reset unless it was closed in order."""
        self._ends.discard(writer)
        _reset(writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        """Carry one direction until its end has been passed on."""
        writer.transport.set_write_buffer_limits(0)
        pieces: asyncio.Queue[_Piece] = asyncio.Queue(PIECES)
        await _all(self._take(reader, pieces), self._give(pieces, writer, way))

    async def _take(self, reader: asyncio.StreamReader, pieces: asyncio.Queue[_Piece]) -> None:
        pacer = Pacer(self._random)
        time = asyncio.get_running_loop().time
        data, lost = b"-", False
        while data:
            try:
                data = await reader.read(PIECE)
            except OSError:
                data, lost = b"", True
            due = pacer.departure(time(), len(data), self._conditions)
            if not data and not lost:
                due += self._conditions.slow_close
            await pieces.put(_Piece(due, data, lost))

    async def _give(
        self, pieces: asyncio.Queue[_Piece], writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        piece = _Piece(0.0, b"-")
        while piece.data:
            piece = await pieces.get()
            await self._until(piece.due, way)
            if piece.lost:
                raise ConnectionResetError
            try:
                await _write(writer, piece.data)
            except OSError:
                # That the far end is gone is news, which has to come back over the link too.
                await self._until(0.0, "back" if way == "forward" else "forward")
                raise

    async def _until(self, due: float, way: Direction) -> None:
        """Return when it is time and the way is open."""
        loop = asyncio.get_running_loop()
        while True:
            changed = self._changed
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._conditions.passes(way):
                return
            else:
                await changed.wait()


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(data)
        await writer.drain()
    elif writer.can_write_eof():
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once; what was not sent yet is dropped, and the other side is told by RST."""
    end: socket.socket = writer.get_extra_info("socket")
    if writer.is_closing():
        return
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()


async def _all(*work: Coroutine[Any, Any, None]) -> None:
    """Run all at once; the first failure ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await _ended(tasks)
    for task in done:
        task.result()


async def _ended(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for tasks that were told to end, however often we are cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while any(not task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled
