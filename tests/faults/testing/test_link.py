"""A link cuts, heals, delays, resets, and leaves nothing behind, on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from loadpath.testing import Conditions, Link, Step

LOOPBACK = "127.0.0.1"
SILENCE = 0.15


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.reset = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while data := await reader.read(65_536):
                self.received += data
                writer.write(data)
                await writer.drain()
        except ConnectionResetError:
            self.reset += 1
        finally:
            writer.close()
            self.tasks.discard(task)


@pytest.fixture
async def echo() -> Echo:
    """Give the server's memory."""
    return Echo()


@pytest.fixture
async def link(echo: Echo) -> AsyncIterator[Link]:
    """Give a link to an echo server; afterwards nothing of either is left."""
    server = await asyncio.start_server(echo.serve, LOOPBACK, 0)
    before = asyncio.all_tasks()
    async with Link(server.sockets[0].getsockname()[1], seed=7) as link:
        yield link
    assert link.connections == 0
    await none_left(before)
    server.close()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - it happens in another task
            await asyncio.sleep(0.01)


async def none_left(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no task is left but those of before."""
    me = {asyncio.current_task()}
    await until(lambda: not {task for task in asyncio.all_tasks() - before - me if not task.done()})


async def connected(link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect through the link."""
    return await asyncio.open_connection(LOOPBACK, link.port)


async def hears(reader: asyncio.StreamReader, size: int, patience: float = 10.0) -> bytes:
    """Return the next bytes."""
    async with asyncio.timeout(patience):
        return await reader.readexactly(size)


async def hears_nothing(reader: asyncio.StreamReader) -> None:
    """Make sure that nothing arrives, not even an end."""
    with pytest.raises(TimeoutError):
        await hears(reader, 1, SILENCE)


async def ended(writer: asyncio.StreamWriter) -> None:
    """Close our end."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_passes_bytes_both_ways_and_their_end(link: Link) -> None:
    """A calm link is not noticed: megabytes pass whole, and a half-closed side still hears."""
    reader, writer = await connected(link)
    data = bytes(range(256)) * 16_384
    sending = asyncio.create_task(_send(writer, data))
    assert await hears(reader, len(data)) == data
    await sending
    assert await reader.read() == b""
    await ended(writer)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    writer.write_eof()


async def test_a_cut_is_silence_and_heals_whole(link: Link) -> None:
    """Nothing passes in a cut, nobody is told, and after it the same connection goes on."""
    reader, writer = await connected(link)
    writer.write(b"a")
    assert await hears(reader, 1) == b"a"
    link.cut()
    writer.write(b"b")
    await hears_nothing(reader)
    link.heal()
    assert await hears(reader, 1) == b"b"
    await ended(writer)


async def test_a_connection_made_in_a_cut_waits(link: Link, echo: Echo) -> None:
    """Who connects in a cut is neither refused nor heard until it heals."""
    link.cut()
    reader, writer = await connected(link)
    writer.write(b"a")
    await hears_nothing(reader)
    assert not echo.received
    link.heal()
    assert await hears(reader, 1) == b"a"
    await ended(writer)


async def test_one_way_cut_forward(link: Link, echo: Echo) -> None:
    """The server hears nothing."""
    reader, writer = await connected(link)
    link.cut("forward")
    writer.write(b"a")
    await hears_nothing(reader)
    assert not echo.received
    link.heal()
    assert await hears(reader, 1) == b"a"
    await ended(writer)


async def test_one_way_cut_back(link: Link, echo: Echo) -> None:
    """The server hears and answers; only the answer is lost on its way."""
    reader, writer = await connected(link)
    link.cut("back")
    writer.write(b"a")
    await hears_nothing(reader)
    assert echo.received == b"a"
    link.heal()
    assert await hears(reader, 1) == b"a"
    await ended(writer)


async def test_an_end_does_not_pass_a_cut(link: Link, echo: Echo) -> None:
    """A client that goes away in a cut is noticed by the server only after it."""
    reader, writer = await connected(link)
    writer.write(b"a")
    await hears(reader, 1)
    link.cut()
    await ended(writer)
    await asyncio.sleep(SILENCE)
    assert len(echo.tasks) == 1
    link.heal()
    await until(lambda: not echo.tasks)


async def test_a_dead_server_resets_the_client_but_not_through_a_cut() -> None:
    """Where nobody listens the client is told, once the news can pass."""
    probe = await asyncio.start_server(Echo().serve, LOOPBACK, 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    async with Link(port, conditions=Conditions(cut="back")) as link:
        reader, writer = await connected(link)
        await hears_nothing(reader)
        link.heal()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await hears(reader, 1)
        await ended(writer)


async def test_reset_is_told_to_both_sides(link: Link, echo: Echo) -> None:
    """A reset ends the connections with RST, and new ones pass."""
    reader, writer = await connected(link)
    writer.write(b"a")
    await hears(reader, 1)
    link.reset()
    with pytest.raises(ConnectionResetError):
        await hears(reader, 1)
    await until(lambda: echo.reset)
    await ended(writer)
    reader, writer = await connected(link)
    writer.write(b"b")
    assert await hears(reader, 1) == b"b"
    await ended(writer)


async def test_delay_and_bandwidth_hold_bytes_back(link: Link) -> None:
    """An answer takes at least the delay of both ways, or the time that its size takes."""
    link.set(Conditions(delay=0.05, jitter=0.02))
    reader, writer = await connected(link)
    start = time.monotonic()
    writer.write(b"a")
    await hears(reader, 1)
    assert time.monotonic() - start >= 0.1
    link.set(Conditions(bandwidth=100_000))
    start = time.monotonic()
    writer.write(bytes(10_000))
    await hears(reader, 10_000)
    assert time.monotonic() - start >= 0.1
    await ended(writer)


async def test_slow_close_keeps_the_end_back(link: Link) -> None:
    """The bytes arrive at once, the end later."""
    link.set(Conditions(slow_close=0.2))
    reader, writer = await connected(link)
    writer.write(b"a")
    start = time.monotonic()
    writer.write_eof()
    await hears(reader, 1)
    assert await reader.read() == b""
    assert time.monotonic() - start >= 0.4
    await ended(writer)


async def test_buffers_are_bounded(link: Link) -> None:
    """Whoever sends into a cut has to wait after a few megabytes."""
    _, writer = await connected(link)
    link.cut()
    sending = asyncio.create_task(_send(writer, bytes(100_000_000)))
    _, waiting = await asyncio.wait([sending], timeout=1.0)
    assert waiting
    sending.cancel()
    writer.transport.abort()


async def test_a_schedule_is_followed(link: Link) -> None:
    """Conditions hold from their step on; the last ones stay."""
    playing = asyncio.create_task(
        link.play([Step(at=0.3), Step(at=0.0, conditions=Conditions(cut="both"))])
    )
    reader, writer = await connected(link)
    writer.write(b"a")
    await hears_nothing(reader)
    await playing
    assert await hears(reader, 1) == b"a"
    await ended(writer)


@pytest.mark.parametrize("seed", range(10))
async def test_cancelled_anywhere_leaves_nothing(echo: Echo, seed: int) -> None:
    """However a user of a link is cancelled, no task and no connection stays."""
    server = await asyncio.start_server(echo.serve, LOOPBACK, 0)
    before = asyncio.all_tasks()

    async def use() -> None:
        async with Link(server.sockets[0].getsockname()[1]) as link:
            reader, writer = await connected(link)
            try:
                for _ in range(100):
                    writer.write(b"a")
                    await hears(reader, 1)
            finally:
                writer.transport.abort()

    task = asyncio.create_task(use())
    for _ in range(seed * 3):
        await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await none_left(before)
    server.close()
