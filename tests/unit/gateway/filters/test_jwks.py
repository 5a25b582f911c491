"""The published keys of an issuer: when they are fetched, and what happens when they are not."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from loadpath.gateway.filters.errors import KeyFileError, KeysUnknownError
from loadpath.gateway.filters.jwks import LONGEST_STALE, RETRY_AFTER, SOONEST, Jwks
from loadpath.testing import FakeClock
from tests.unit.gateway.filters.tokenkit import public_jwk

REFRESH = 300.0


class Published:
    """Publish keys on a real connection, and count who asks.

    Attributes:
        url: Where.
        answer: What is answered; None cuts the connection.
        asked: How often somebody asked.
        held: Set while answers are sent at once.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answer: bytes | None = keys("a")
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await self.held.wait()
        if self.answer is not None:
            writer.write(self.answer)
        writer.close()


def keys(*kids: str) -> bytes:
    """Return an answer with these keys."""
    return answer(json.dumps({"keys": [public_jwk("ES256", kid=each) for each in kids]}).encode())


def answer(body: bytes, status: str = "200 OK", fields: str = "") -> bytes:
    """Return an answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


@asynccontextmanager
async def publishing() -> AsyncIterator[tuple[Published, Jwks, FakeClock]]:
    """Give an issuer, its keys as we know them, and the time."""
    published, clock = Published(), FakeClock()
    server = await asyncio.start_server(published.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        published.url = f"http://127.0.0.1:{port}/keys"
        jwks = Jwks(published.url, ["ES256"], refresh=REFRESH, clock=clock)
        try:
            yield published, jwks, clock
        finally:
            published.held.set()
            await jwks.aclose()


def kids(jwks: Jwks) -> list[str] | None:
    """Return the ids of the keys that are there."""
    present = jwks.present()
    return None if present is None else [each.kid for each in present]


async def settled(jwks: Jwks) -> None:
    """Return when nothing is fetched."""
    async with asyncio.timeout(10):
        while jwks._fetching is not None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.002)


async def test_keys_are_fetched_when_they_are_needed_and_once_for_all() -> None:
    """Nothing at the start; a hundred who wait make one request."""
    async with publishing() as (published, jwks, _):
        assert kids(jwks) is None
        assert published.asked == 0
        found = await asyncio.gather(*(jwks.wait() for _ in range(100)))
        assert all(each == jwks.present() for each in found)
        assert (published.asked, jwks.generation, jwks.problem) == (1, 1, "")


async def test_who_waits_may_give_up() -> None:
    """The fetch goes on for the others."""
    async with publishing() as (published, jwks, _):
        published.held.clear()
        first, second = (asyncio.create_task(jwks.wait()) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first])
        published.held.set()
        assert [each.kid for each in await second] == ["a"]
        assert published.asked == 1


async def test_old_keys_are_fetched_again_while_they_serve() -> None:
    """Nobody waits for it; what is the same as before is no new generation."""
    async with publishing() as (published, jwks, clock):
        await jwks.wait()
        clock.advance(REFRESH)
        assert kids(jwks) == ["a"]
        assert jwks._fetching is None
        clock.advance(0.1)
        assert kids(jwks) == ["a"]
        await settled(jwks)
        assert (published.asked, jwks.generation) == (2, 1)
        published.answer = keys("b")
        clock.advance(REFRESH + 1)
        assert kids(jwks) == ["a"]
        await settled(jwks)
        assert kids(jwks) == ["b"]
        assert (published.asked, jwks.generation) == (3, 2)


async def test_an_unknown_key_fetches_soon_but_not_often() -> None:
    """Anybody can name a key that is not there: the issuer is asked once in ten seconds."""
    async with publishing() as (published, jwks, clock):
        await jwks.wait()
        published.answer = keys("a", "b")
        for _ in range(50):
            await jwks.renew()
        assert published.asked == 1
        clock.advance(SOONEST)
        await asyncio.gather(*(jwks.renew() for _ in range(50)))
        assert kids(jwks) == ["a", "b"]
        assert published.asked == 2


BAD = {
    "cut": None,
    "error": answer(b"{}", "500 Internal Server Error"),
    "redirect": answer(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
    "garbage": b"\x00\x01\x02 no answer\r\n\r\n",
    "no JSON": answer(b"<html>"),
    "no set": answer(b'{"keys": 1}'),
    "too large": answer(b" " * 300_000 + b'{"keys": []}'),
}


@pytest.mark.parametrize("bad", list(BAD))
async def test_an_outage_takes_no_keys_away(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    """The last keys go on, a day at most; it is asked again once a second, and told once."""
    async with publishing() as (published, jwks, clock):
        await jwks.wait()
        published.answer = BAD[bad]
        clock.advance(REFRESH + 1)
        with caplog.at_level(logging.WARNING, "loadpath.gateway"):
            for seconds, times in ((0.0, 2), (RETRY_AFTER - 0.1, 2), (0.1, 3)):
                clock.advance(seconds)
                assert kids(jwks) == ["a"]
                await settled(jwks)
                assert published.asked == times
        assert jwks.problem
        assert len(caplog.records) == 1
        clock.advance(LONGEST_STALE)
        assert kids(jwks) is None
        await settled(jwks)
        with pytest.raises(KeysUnknownError) as caught:
            await jwks.wait()
        assert caught.value.retry_after == 1.0
        published.answer = keys("z")
        clock.advance(RETRY_AFTER)
        assert [each.kid for each in await jwks.wait()] == ["z"]
        assert jwks.problem == ""


async def test_no_keys_yet_is_said_at_once() -> None:
    """An issuer that cannot be reached is not asked for every request."""
    async with publishing() as (published, jwks, clock):
        published.answer = None
        for _ in range(20):
            with pytest.raises(KeysUnknownError):
                await jwks.wait()
        assert published.asked == 1
        published.answer = keys("a")
        clock.advance(RETRY_AFTER)
        assert [each.kid for each in await jwks.wait()] == ["a"]


async def test_withdrawn_keys_are_gone() -> None:
    """An empty set is an answer: none of the old keys holds any longer."""
    async with publishing() as (published, jwks, clock):
        await jwks.wait()
        published.answer = answer(b'{"keys": []}')
        clock.advance(SOONEST)
        assert await jwks.renew() == []
        assert kids(jwks) == []
        assert (jwks.generation, bool(jwks.problem)) == (2, True)


@pytest.mark.parametrize("ask", [Jwks.wait, Jwks.renew])
async def test_who_waits_when_it_closes_gets_an_answer(
    ask: Callable[[Jwks], Awaitable[object]],
) -> None:
    """A reload closes it once those are served; afterwards nothing is fetched."""
    async with publishing() as (published, jwks, clock):
        published.held.clear()
        waiting = asyncio.ensure_future(ask(jwks))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(jwks.aclose())
        await asyncio.sleep(0.01)
        published.held.set()
        await closing
        assert await waiting == jwks.present()
        clock.advance(LONGEST_STALE * 2)
        with pytest.raises(KeysUnknownError):
            await jwks.wait()
        assert (published.asked, jwks._fetching) == (1, None)


async def test_a_fetch_that_nobody_waits_for_ends_at_once() -> None:
    """Closing does not wait for an issuer that hangs."""
    async with publishing() as (published, jwks, clock):
        await jwks.wait()
        published.held.clear()
        clock.advance(REFRESH + 1)
        jwks.present()
        await asyncio.sleep(0.01)
        async with asyncio.timeout(2):
            await jwks.aclose()
        assert kids(jwks) == ["a"]


@pytest.mark.parametrize(
    "url", ["http://", "http://a b/", "ftp://a/", "http://u:p@a/", "http://a/ä"]
)
def test_what_is_no_address_is_said(url: str) -> None:
    """When settings are read, not when the first token comes."""
    with pytest.raises(KeyFileError, match="address"):
        Jwks(url, ["ES256"], refresh=REFRESH)
