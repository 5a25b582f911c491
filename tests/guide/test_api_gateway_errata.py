"""Defects of the guide's gateway, each shown by one scenario against it and against ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from loadpath.local import nginx
from tests.faults.gateway.stage import Backend, ask, between, get, split
from tests.guide.as_written.api_gateway import (
    NGINX_LOCATION,
    APIGateway,
    nginx_upstream,
)

Ask = Callable[[str], Awaitable[tuple[int, str]]]
"""Ask for a path; returns the status and what the service was asked."""


async def two_depths(front: Ask) -> None:
    """A path and one below it are two things, and the service is asked for each by its own."""
    assert await front("/api/user/profile") == (200, "/api/user/profile")
    assert await front("/api/user/profile/photo") == (200, "/api/user/profile/photo")


async def a_service_that_is_not_there(front: Ask) -> None:
    """Who asks for what does not exist is told so: it is no failure of the server."""
    status, _ = await front("/api/nobody/profile")
    assert status == 404


def as_written() -> Ask:
    """Run the guide's gateway as a web framework does: what it throws becomes a 500."""

    async def profile(data: Any) -> str:
        del data  # all that the endpoint learns of the path is its own name
        return "/api/user/profile"

    gateway = APIGateway({"user": {"profile": profile}})

    async def front(path: str) -> tuple[int, str]:
        try:
            return 200, await gateway.route_request(path, "GET", {})
        except Exception:  # noqa: BLE001 - as Express does
            return 500, ""

    return front


async def by_ours(scenario: Callable[[Ask], Awaitable[None]]) -> None:
    """Run a scenario against our gateway before a service that tells what it was asked."""

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = (await backend.read(reader)).split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    backend = Backend(tell)
    async with between(backend, route={"match": {"prefix": "/api/user"}}) as (gateway, _):

        async def front(path: str) -> tuple[int, str]:
            status, _, body = await ask(gateway, get(path))
            return status, body.decode()

        await scenario(front)


SCENARIOS = [two_depths, a_service_that_is_not_there]


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_guide_fails(scenario: Callable[[Ask], Awaitable[None]]) -> None:
    """Paths are cut at a fixed depth; an unknown service is an error of the server."""
    with pytest.raises(AssertionError):
        await scenario(as_written())


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_ours_holds(scenario: Callable[[Ask], Awaitable[None]]) -> None:
    """Prefixes of any length, and 404."""
    await by_ours(scenario)


async def ten_requests(port: int, backend: Backend) -> None:
    """Ten requests, one after the other, do not need ten connections to the service."""
    opened = 0
    handler = backend._handler

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await handler(reader, writer)

    backend._handler = counting
    for _ in range(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get())
        assert split(await reader.read(-1))[0] == 200
        writer.close()
    assert opened < 10


async def test_the_guides_nginx_connects_for_every_request() -> None:
    """Neither `keepalive` nor HTTP/1.1 to the servers: each request is a handshake of its own."""
    async with (
        Backend().serving() as backend,
        nginx(http=nginx_upstream(backend.address), server=NGINX_LOCATION) as server,
    ):
        assert server.port is not None
        with pytest.raises(AssertionError):
            await ten_requests(server.port, backend)


async def test_ours_keeps_connections() -> None:
    """`keepalive` of them are kept for each endpoint."""
    async with between() as (gateway, backend):
        await ten_requests(gateway.settings.listeners[0].port, backend)
