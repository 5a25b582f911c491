"""Rate limits that gateways share on a real Valkey, while it is there and while it is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadpath.local import Valkey, valkey
from tests.integration.gateway.running import Client, gateway

BURST = 20


@pytest.fixture
async def server() -> AsyncIterator[Valkey]:
    """Run a Valkey."""
    async with valkey(relaxed=True) as running:
        yield running


def settings(server: Valkey, *, unavailable: str = "allow", burst: int = BURST) -> str:
    """Return the settings of a route with a shared limit."""
    limit = f"{{limit = 1, period = 3600, burst = {burst}, shared = true}}"
    return f"""
[redis]
url = "{server.url}"
unavailable = "{unavailable}"
[[routes]]
name = "r"
respond = {{body = "ok"}}
rate_limit = {limit}
"""


async def test_two_gateways_count_together(tmp_path: Path, server: Valkey) -> None:
    """Of all requests at both at once exactly the burst passes."""
    document = settings(server)
    async with gateway(tmp_path, document) as one, gateway(tmp_path, document) as two:
        statuses = await asyncio.gather(one.statuses(30, "/"), two.statuses(30, "/"))
        assert sorted([*statuses[0], *statuses[1]]) == [200] * BURST + [429] * (60 - BURST)


@pytest.mark.parametrize(("unavailable", "status"), [("allow", 200), ("deny", 503)])
async def test_an_outage_does_what_the_settings_say(
    tmp_path: Path, server: Valkey, unavailable: str, status: int
) -> None:
    """All pass or none does, and counts hold again when the server is back."""
    document = settings(server, unavailable=unavailable, burst=1)
    async with gateway(tmp_path, document) as client:
        assert (await client.get("/")).status == 200
        assert (await client.get("/")).status == 429
        await server.kill()
        answers = [await client.get("/") for _ in range(20)]
        assert {each.status for each in answers} == {status}
        if status == 503:
            assert all(each.fields["retry-after"] == "1" for each in answers)
        await server.start()
        await until_counted(client, status)


async def until_counted(client: Client, meanwhile: int) -> None:
    """Return when the limit is counted again."""
    async with asyncio.timeout(20):
        while (found := (await client.get("/")).status) != 429:
            assert found in {200, meanwhile}
            await asyncio.sleep(0.05)


async def test_a_server_that_hangs_holds_few_up(tmp_path: Path) -> None:
    """It takes connections and says nothing: after a handful of requests it is left alone."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    hanging = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    document = f"""
[redis]
url = "redis://127.0.0.1:{port}/0"
[[routes]]
name = "r"
respond = {{body = "ok"}}
rate_limit = {{limit = 1, period = 3600, shared = true}}
"""
    async with hanging, gateway(tmp_path, document) as client:
        for _ in range(5):
            assert (await client.get("/")).status == 200
        before = asked
        assert await client.statuses(200, "/") == [200] * 200
        assert asked <= before + 10


async def test_a_reload_moves_to_another_server(tmp_path: Path, server: Valkey) -> None:
    """Requests under way are answered by the old one, later ones are counted by the new one."""
    async with valkey(relaxed=True) as other, gateway(tmp_path, settings(server)) as client:
        under_way = asyncio.create_task(client.statuses(2 * BURST, "/"))
        await asyncio.sleep(0.01)
        await client.reload(settings(other))
        statuses = await under_way + await client.statuses(2 * BURST, "/")
        assert set(statuses) == {200, 429}
        assert BURST <= statuses.count(200) <= 2 * BURST
        await server.kill()
        assert (await client.get("/")).status == 429
