"""Upstreams that refuse, hang, break off or answer nonsense: the client is told what happened."""

import asyncio
import json

import pytest

from loadpath.local.ports import free_ports
from tests.faults.gateway.stage import Backend, ask, between, get, split, talk

QUICK = {"timeouts": {"connect": 0.3, "read": 0.3}, "retries": {"tries": 1}}


async def test_refused_is_503_with_retry_after() -> None:
    """Nothing was sent: trying again later is safe, and the answer says when."""
    backend = Backend()
    (backend.port,) = free_ports(1)
    async with between(Backend(), upstream={"endpoints": [{"address": backend.address}]}) as (
        gateway,
        _,
    ):
        status, head, body = await ask(gateway, get())
    assert status == 503
    assert b"\r\nRetry-After: " in head
    assert b"Content-Type: application/problem+json" in head
    document = json.loads(body)
    assert document["status"] == 503
    assert f"X-Request-Id: {document['request_id']}".encode() in head


async def test_silence_is_504() -> None:
    """It was sent and not answered in time."""

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with between(hang, upstream=QUICK) as (gateway, _):
        status, _, body = await ask(gateway, get())
    assert status == 504
    assert "may have been carried out" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 20", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    ids=["closes", "half a head", "garbage", "a length that is none"],
)
async def test_no_answer_is_502(answer: bytes) -> None:
    """What came is no answer: the request may have been carried out."""

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with between(broken, upstream=QUICK) as (gateway, _):
        status, _, _ = await ask(gateway, get())
    assert status == 502


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ],
    ids=["length", "chunks", "bad chunk"],
)
async def test_half_an_answer_is_never_a_whole_one(start: bytes) -> None:
    """After the head nothing can be taken back: the connection is cut, so that it shows."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        await writer.drain()
        await asyncio.sleep(0.1)

    async with between(half, upstream=QUICK) as (gateway, _):
        came = await talk(gateway, get())
    head, _, body = came.partition(b"\r\n\r\n")
    assert b"0\r\n\r\n" not in body
    if b"Content-Length" in head:
        assert len(body) < 1000


async def test_stalled_body_is_cut() -> None:
    """An upstream that stops in the middle is given up after its read timeout."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read(-1)

    async with between(stall, upstream=QUICK) as (gateway, _):
        _, _, body = split(await talk(gateway, get()))
    assert body == b"abc"


async def test_slow_drip_passes_as_it_comes() -> None:
    """Every piece restarts the clock, and is passed on at once."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(0.03)
            writer.write(b"x")

    async with between(drip, upstream=QUICK) as (gateway, _):
        status, _, body = await ask(gateway, get())
    assert (status, body) == (200, b"x" * 20)


async def test_endless_answer_does_not_fill_memory() -> None:
    """A client that does not read makes the upstream wait."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with between(flood) as (gateway, _):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", gateway.settings.listeners[0].port, limit=1024
        )
        writer.transport.pause_reading()
        writer.write(get())
        await asyncio.sleep(0.5)
        before = sent
        await asyncio.sleep(0.3)
        assert sent == before
        assert sent < 50_000_000
        writer.transport.abort()
        del reader


async def test_a_dead_endpoint_loses_no_safe_request() -> None:
    """GET is tried at the other endpoint; afterwards the dead one is left alone."""
    one, other = Backend(), Backend()
    async with one.serving(), other.serving():
        endpoints = [{"address": one.address}, {"address": other.address}]
        async with between(upstream={"endpoints": endpoints}) as (gateway, _):
            for number in range(40):
                if number == 10:
                    await one.stop()
                status, _, _ = await ask(gateway, get())
                assert status == 200


async def test_an_unsafe_request_in_doubt_is_not_repeated() -> None:
    """A POST that was sent is never sent again."""
    came = 0

    async def drop(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal came
        await reader.readuntil(b"\r\n\r\n")
        came += 1

    async with between(drop) as (gateway, _):
        request = get(method="POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi")
        status, _, _ = await ask(gateway, request)
    assert status == 502
    assert came == 1


async def test_a_put_with_a_small_body_is_repeated() -> None:
    """Its body was read before, so it can be sent to another endpoint."""
    dead, alive = Backend(), Backend()

    async def drop(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await dead.read(reader)

    async with Backend(drop).serving() as one, alive.serving():
        endpoints = [{"address": one.address}, {"address": alive.address}]
        async with between(upstream={"endpoints": endpoints}) as (gateway, _):
            request = get(method="PUT").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nhi")
            for _ in range(2):
                assert split(await talk(gateway, request))[::2] == (200, b"hi")


async def test_an_answer_before_the_whole_body() -> None:
    """An early refusal is passed back, and the connection ends: the rest is unread."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read(-1)

    async with between(early) as (gateway, _):
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
        status, head, body = await ask(gateway, request)
    assert (status, body) == (401, b"no")
    assert b"Connection: close" in head
