"""An answer settles its attempt at the end of its body, however that comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadpath.http import Request, write_response_head
from loadpath.resilience import Bulkhead
from loadpath.upstream import Response, Upstream, UpstreamFailedError
from tests.faults.http.servers import Script, serving

HEAD = write_response_head(200, [(b"Content-Length", b"6"), (b"X-One", b"1")])
GET = Request(b"GET", b"/")


def in_turns(go: asyncio.Event, first: bytes, second: bytes, *, switch: bool = False) -> Script:
    """Say one part, wait until the test lets it go on, and say the other."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        await go.wait()
        writer.write(second)
        await writer.drain()
        if switch:
            writer.write(await reader.read(100))
            await writer.drain()
        if second:
            await reader.read()

    return script


class Held:
    """Hold a response, and know whether its place is."""

    def __init__(self, response: Response, orders: Upstream, go: asyncio.Event) -> None:
        self.response = response
        self.go = go
        self._orders = orders

    @property
    def settled(self) -> bool:
        """Whether nothing is held any more."""
        now = self._orders.snapshot()
        assert now.bulkhead is not None
        assert now.bulkhead.running == now.endpoints[0].in_flight
        return now.bulkhead.running == 0

    @property
    def failures(self) -> int:
        """How many attempts the endpoint failed."""
        return self._orders.snapshot().endpoints[0].failures


@asynccontextmanager
async def answering(first: bytes, second: bytes, *, switch: bool = False) -> AsyncIterator[Held]:
    """Give a response whose second part is still to come."""
    go = asyncio.Event()
    async with serving(in_turns(go, first, second, switch=switch)) as origin:
        address = f"{origin.host}:{origin.port}"
        async with Upstream("orders", [address], bulkhead=Bulkhead(5)) as orders:
            request = GET
            if switch:
                fields = [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")]
                request = Request(b"GET", b"/", fields)
            held = Held(await orders.send(request), orders, go)
            yield held
            assert held.settled


async def test_the_end_of_the_body_settles() -> None:
    """Not its head: until the body is whole, the call is in flight."""
    async with answering(HEAD + b"one", b"two") as held:
        assert await held.response.read_some() == b"one"
        assert not held.settled
        assert not held.response.done
        held.go.set()
        assert await held.response.read() == b"two"
        assert held.settled
        assert await held.response.read_some() == b""
        assert held.failures == 0


async def test_a_body_that_came_with_its_head_settles_at_once() -> None:
    """Nobody has to read or close what is whole already."""
    async with answering(HEAD + b"onetwo", b"") as held:
        assert held.settled
        assert held.response.get("x-one") == "1"
        assert (b"X-One", b"1") in held.response.fields
        assert await held.response.read() == b"onetwo"


async def test_closing_settles() -> None:
    """An answer that nobody wants the rest of was an answer."""
    async with answering(HEAD + b"one", b"two") as held:
        async with held.response:
            pass
        assert held.settled
        held.response.close()
        assert held.failures == 0


async def test_a_body_that_breaks_off_is_told_and_counts() -> None:
    """Whoever reads it is told; the endpoint failed."""
    async with answering(HEAD + b"one", b"") as held:
        held.go.set()
        with pytest.raises(UpstreamFailedError, match="orders") as caught:
            async for _ in held.response:
                pass
        assert caught.value.attempts == 1
        assert held.settled
        assert held.failures == 1


async def test_a_cancelled_reader_settles_and_blames_nobody() -> None:
    """Who stops waiting says nothing about the endpoint."""
    for read in (Response.read, Response.read_some):
        async with answering(HEAD, b"") as held:
            reading = asyncio.ensure_future(read(held.response))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            assert reading.cancelled()
            assert held.settled
            assert held.failures == 0


async def test_a_switched_connection_is_handed_over() -> None:
    """After 101 the transport is the caller's, and the call is over."""
    head = write_response_head(101, [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")])
    async with answering(head, b"", switch=True) as held:
        assert held.response.status == 101
        assert not held.settled
        transport, rest = held.response.detach()
        assert held.settled
        assert rest == b""
        transport.abort()
        held.go.set()
