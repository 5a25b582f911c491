"""Tokens of an issuer whose keys a real nginx publishes: rotation, outages, reloads."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from loadpath.local import Nginx, nginx
from tests.integration.gateway.running import Client, gateway
from tests.unit.gateway.filters.tokenkit import signed

_KEYS = {kid: ECKey.generate_key("P-256") for kid in ("one", "two")}
ROUTE = """
[[routes]]
name = "r"
match = {prefix = "/r"}
respond = {body = "ok"}
authorise = {by = ["main"]}
"""


class Issuer:
    """Publish keys by nginx.

    Args:
        server: The nginx.
        folder: What it serves.
    """

    def __init__(self, server: Nginx, folder: Path) -> None:
        self.server = server
        self._folder = folder

    @property
    def url(self) -> str:
        """Where the keys are."""
        return f"{self.server.url}/jwks.json"

    async def publish(self, *kids: str) -> None:
        """Publish these keys and no others."""
        keys = [{**_KEYS[kid].as_dict(private=False), "kid": kid} for kid in kids]
        await self.say(json.dumps({"keys": keys}).encode())

    async def say(self, document: bytes) -> None:
        """Publish anything."""
        await asyncio.to_thread((self._folder / "jwks.json").write_bytes, document)

    async def asked(self) -> int:
        """Return how often somebody asked."""
        log = await asyncio.to_thread((self._folder / "log").read_bytes)
        return log.count(b"\n")


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    """Run an issuer."""
    folder = tmp_path / "issuer"
    await asyncio.to_thread(folder.mkdir)
    server = f"access_log {folder}/log; root {folder}; location /moved {{ return 302 /jwks.json; }}"
    async with nginx(server=server) as running:
        yield Issuer(running, folder)


def settings(url: str, *, refresh: float = 3_600, name: str = "main") -> str:
    """Return the settings of an issuer."""
    return f'[jwt.{name}]\nalgorithms = ["ES256"]\njwks_url = "{url}"\njwks_refresh = {refresh}\n'


def token(kid: str, **claims: Any) -> str:
    """Return what `Authorization` says."""
    body = json.dumps({"sub": "ann", "exp": int(time.time()) + 600, **claims}).encode()
    return f"Bearer {signed(body, 'ES256', by=_KEYS[kid], kid=kid)}"


async def status(client: Client, kid: str = "one", **claims: Any) -> int:
    """Return the status that a token gets."""
    return (await client.get("/r", Authorization=token(kid, **claims))).status


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when something has come true."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_keys_are_fetched_once_for_all(tmp_path: Path, issuer: Issuer) -> None:
    """Many first requests at once make one fetch; so many with unknown keys make no more."""
    await issuer.publish("one")
    async with gateway(tmp_path, settings(issuer.url) + ROUTE) as client:
        assert await client.statuses(50, "/r", Authorization=token("one")) == [200] * 50
        assert await client.statuses(50, "/r", Authorization=token("two")) == [401] * 50
        assert await issuer.asked() == 1


async def test_a_new_key_is_known_soon_and_an_old_one_is_not(
    tmp_path: Path, issuer: Issuer
) -> None:
    """A rotation needs no restart; a remembered token of the key that is gone is refused."""
    await issuer.publish("one")
    async with gateway(tmp_path, settings(issuer.url, refresh=0.3) + ROUTE) as client:
        assert await status(client) == 200
        given = token("one")
        assert (await client.get("/r", Authorization=given)).status == 200
        await issuer.publish("two")
        await until(lambda: _is(status(client, "two"), 200))
        assert (await client.get("/r", Authorization=given)).status == 401


async def _is(found: Awaitable[int], wanted: int) -> bool:
    return await found == wanted


async def test_an_outage_is_survived(tmp_path: Path, issuer: Issuer) -> None:
    """Keys go on serving while the issuer is gone, and are fetched when it is back."""
    await issuer.publish("one")
    async with gateway(tmp_path, settings(issuer.url, refresh=0.05) + ROUTE) as client:
        assert await status(client) == 200
        await issuer.server.stop()
        for _ in range(20):
            assert await status(client) == 200
            await asyncio.sleep(0.01)
        await issuer.publish("two")
        await issuer.server.start()
        await until(lambda: _is(status(client, "two"), 200))


async def test_an_issuer_that_was_never_reached(tmp_path: Path, issuer: Issuer) -> None:
    """503, as the token may be good, never 401; everything is well once the issuer is there."""
    await issuer.publish("one")
    await issuer.server.stop()
    async with gateway(tmp_path, settings(issuer.url) + ROUTE) as client:
        answer = await client.get("/r", Authorization=token("one"))
        assert (answer.status, answer.fields["retry-after"]) == (503, "1")
        assert (await client.get("/r")).status == 401
        await issuer.server.start()
        await until(lambda: _is(status(client), 200))


@pytest.mark.parametrize("said", [b"<html>", b'{"keys": 1}', b" " * 300_000, b"[" * 100_000])
async def test_nonsense_takes_no_keys_away(tmp_path: Path, issuer: Issuer, said: bytes) -> None:
    """What is no set of keys changes nothing, however large it is."""
    await issuer.publish("one")
    async with gateway(tmp_path, settings(issuer.url, refresh=0.02) + ROUTE) as client:
        assert await status(client) == 200
        await issuer.say(said)
        before = await issuer.asked()

        async def again() -> bool:
            assert await status(client) == 200
            return await issuer.asked() > before

        await until(again)
        assert await status(client) == 200


async def test_a_redirect_is_not_followed(tmp_path: Path, issuer: Issuer) -> None:
    """Keys come from where the settings say, and from nowhere else."""
    await issuer.publish("one")
    url = issuer.url.replace("jwks.json", "moved")
    async with gateway(tmp_path, settings(url) + ROUTE) as client:
        assert await status(client) == 503


async def test_a_reload_keeps_what_did_not_change(tmp_path: Path, issuer: Issuer) -> None:
    """Keys are not fetched anew; a refused reload takes nothing from what serves."""
    await issuer.publish("one")
    document = settings(issuer.url) + ROUTE
    async with gateway(tmp_path, document) as client:
        assert await status(client) == 200
        bad = f'[jwt.bad]\nalgorithms = ["HS256"]\nsecret_file = "{tmp_path}/none"\n'
        with pytest.raises(OSError, match="none"):
            await client.reload(bad + document)
        assert await status(client) == 200
        await client.reload(settings(issuer.url, name="more") + document)
        await client.reload(document)
        assert await status(client) == 200
        assert await issuer.asked() == 1
        await client.reload(settings(issuer.url, refresh=5) + ROUTE)
        assert await status(client) == 200
        assert await issuer.asked() == 2


async def test_a_reload_lets_requests_finish_that_wait_for_keys(tmp_path: Path) -> None:
    """They have the settings that they began with, although nobody needs those any more."""
    async with (
        slow_issuer() as (url, come, go),
        gateway(tmp_path, settings(url) + ROUTE) as client,
    ):
        waiting = asyncio.create_task(status(client))
        await come.wait()
        await client.reload(settings(f"{url}?new") + ROUTE)
        await asyncio.sleep(0.05)
        go.set()
        assert await waiting == 200


async def test_a_client_that_leaves_does_not_stop_the_fetch(tmp_path: Path) -> None:
    """Others wait for the same keys."""
    async with (
        slow_issuer() as (url, come, go),
        gateway(tmp_path, settings(url) + ROUTE) as client,
    ):
        leaving = asyncio.create_task(status(client))
        await come.wait()
        staying = asyncio.create_task(status(client))
        leaving.cancel()
        await asyncio.wait([leaving])
        await asyncio.sleep(0.05)
        go.set()
        assert await staying == 200


@asynccontextmanager
async def slow_issuer() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """Publish keys that come when they are let go; nginx cannot wait for a test."""
    come, go = asyncio.Event(), asyncio.Event()
    document = json.dumps({"keys": [{**_KEYS["one"].as_dict(private=False), "kid": "one"}]})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        come.set()
        await go.wait()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n"
        writer.write(f"{head}{document}".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys", come, go
        go.set()


async def test_a_gateway_that_ends_leaves_no_fetch(tmp_path: Path) -> None:
    """An issuer that hangs holds nobody up."""
    async with slow_issuer() as (url, come, _):
        async with gateway(tmp_path, settings(url) + ROUTE) as client:
            leaving = asyncio.create_task(status(client))
            await come.wait()
            leaving.cancel()
            await asyncio.wait([leaving])
        fetching = [each for each in asyncio.all_tasks() if "Jwks" in str(each.get_coro())]
        assert not fetching
