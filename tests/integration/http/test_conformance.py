"""The rules of the table again, over real sockets, against a server that is a page of code."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from loadpath.http import (
    End,
    Origin,
    ProtocolError,
    RequestHead,
    RequestParser,
    write_response_head,
)
from tests.contracts import http_probe
from tests.contracts.http_requests import CASES, NEXT, Case, head

LARGE = 30_000
CONTINUE = 100
ALL = [*CASES, *http_probe.CASES]


class Server(asyncio.Protocol):
    """Answer every request with 200, and what is none with its status and an end."""

    def __init__(self) -> None:
        self._parser = RequestParser()
        self._transport: asyncio.Transport | None = None
        self._head: RequestHead | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Serve what is whole."""
        assert self._transport is not None
        self._parser.receive(data)
        try:
            while (event := self._parser.next_event()) is not None:
                if isinstance(event, RequestHead):
                    self._head = event
                    if event.expects_continue:
                        self._transport.write(write_response_head(100, ()))
                elif isinstance(event, End):
                    self._answer(200, keep_alive=self._head is None or self._head.keep_alive)
        except ProtocolError as error:
            self._answer(error.status, keep_alive=False)

    def _answer(self, status: int, *, keep_alive: bool) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        fields = [(b"Content-Length", b"0")]
        if not keep_alive:
            fields.append((b"Connection", b"close"))
        self._transport.write(write_response_head(status, fields))
        if not keep_alive:
            self._transport.close()


@pytest.fixture(scope="module")
async def origin() -> AsyncIterator[Origin]:
    """Where the server is."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    yield Origin("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


async def statuses(origin: Origin, stream: bytes) -> tuple[list[int], bytes]:
    """Send a stream and then no more; return the statuses of what comes back, and all of it."""
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    try:
        writer.write(stream)
        writer.write_eof()
        said = await reader.read()
    except ConnectionError:  # it was closed while we were still sending
        said = b""
    finally:
        writer.transport.abort()
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", said)], said


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.section}: {case.name}")
async def test_a_rule_holds(origin: Origin, case: Case) -> None:
    """The answers are those of the table, and after a refusal nothing more is served."""
    answered, said = await statuses(origin, case.stream)
    if said or len(case.stream) < LARGE:  # a large stream may be reset before its answer is read
        assert tuple(each for each in answered if each != CONTINUE) == case.statuses


async def test_what_is_sent_after_a_refusal_is_not_served(origin: Origin) -> None:
    """The connection is closed, so that nothing behind a bad request is taken for one."""
    answered, said = await statuses(origin, head(b"X : a") + NEXT * 3)
    assert answered == [400]
    assert b"Connection: close" in said


async def test_close_is_obeyed(origin: Origin) -> None:
    """A request that asks for the end of its connection is the last one (RFC 9112, 9.6)."""
    answered, _ = await statuses(origin, head(b"Connection: close") + NEXT)
    assert answered == [200]


async def test_http_1_0_ends_by_default(origin: Origin) -> None:
    """An older client's connection ends after its answer, unless it asks to go on."""
    answered, _ = await statuses(origin, head(first=b"GET / HTTP/1.0") + NEXT)
    assert answered == [200]
    going_on = head(b"Connection: keep-alive", first=b"GET / HTTP/1.0")
    answered, _ = await statuses(origin, going_on + NEXT)
    assert answered == [200, 200]


async def test_an_older_client_gets_no_interim_answer(origin: Origin) -> None:
    """HTTP/1.0 knows no 100, whatever the request expects (RFC 9110, 15.2)."""
    asked = head(b"Expect: 100-continue", b"Content-Length: 5", first=b"POST / HTTP/1.0")
    answered, _ = await statuses(origin, asked + b"hello")
    assert answered == [200]


async def test_a_client_that_waits_is_told_to_go_on(origin: Origin) -> None:
    """`Expect: 100-continue` gets its 100 before the body comes (RFC 9110, 10.1.1)."""
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    writer.write(head(b"Content-Length: 5", b"Expect: 100-continue", first=b"POST / HTTP/1.1"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"hello")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.transport.abort()
