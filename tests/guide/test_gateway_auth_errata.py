"""Defects of how the guide's gateway authenticates, each shown by a scenario against both."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.guide.as_written.gateway_auth import APIGateway
from tests.integration.gateway.running import gateway
from tests.unit.gateway.filters.tokenkit import SECRET, signed

TOKEN = signed(b'{"sub": "ann"}')
PROFILE = "ann's profile"
SETTINGS = """
[jwt.main]
algorithms = ["HS256"]
secret_file = "SECRET_FILE"

[[routes]]
name = "user"
match = {prefix = "/api/user"}
respond = {body = "ann's profile"}
authorise = {by = ["main"]}

[[routes]]
name = "other"
match = {prefix = "/api"}
respond = {status = 404}
authorise = {by = ["main"]}
"""

Ask = Callable[[str, dict[str, str], Any], Awaitable[str]]
"""Ask for a path with header fields and a body, None for no body; returns what the client sees."""


async def a_token_in_its_header(ask: Ask) -> None:
    """Who sends a good token as HTTP does gets an answer: a GET has no body to put it into."""
    assert await ask("/api/user/profile", {"Authorization": f"Bearer {TOKEN}"}, None) == PROFILE


async def nobody_learns_what_exists(ask: Ask) -> None:
    """Who is not known sees the same for a service that exists and for one that does not."""
    body = {"token": "guessed"}
    existing = await ask("/api/user/profile", {}, body)
    assert existing == await ask("/api/billing/profile", {}, body)


async def as_written(path: str, fields: dict[str, str], body: Any) -> str:
    """Ask the guide's gateway; nothing of a request's fields reaches it."""
    del fields

    async def profile(data: Any) -> str:
        del data
        return PROFILE

    asked = APIGateway({"user": {"profile": profile}}, frozenset({TOKEN}))
    try:
        return await asked.route_request(path, "GET" if body is None else "POST", body)
    except (LookupError, PermissionError, TypeError) as error:
        return f"error: {error}"


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Ask]:
    """Ask ours."""
    async with asking(tmp_path) as ask:
        yield ask


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[Ask]:
    """Run our gateway and ask it."""
    secret = folder / "secret"
    await asyncio.to_thread(secret.write_bytes, SECRET)
    async with gateway(folder, SETTINGS.replace("SECRET_FILE", str(secret))) as client:

        async def ask(path: str, fields: dict[str, str], body: Any) -> str:
            sent = b"" if body is None else json.dumps(body).encode()
            method = "GET" if body is None else "POST"
            answer = await client.get(path, method=method, body=sent, **fields)
            if answer.status == 200:
                return answer.body.decode()
            told = json.loads(answer.body)
            return f"{told['status']} {told['detail']}"

        yield ask


@pytest.mark.parametrize("scenario", [a_token_in_its_header, nobody_learns_what_exists])
async def test_the_guide_fails(scenario: Callable[[Ask], Awaitable[None]]) -> None:
    """The rendering fails every scenario."""
    with pytest.raises(AssertionError):
        await scenario(as_written)


@pytest.mark.parametrize("scenario", [a_token_in_its_header, nobody_learns_what_exists])
async def test_ours_holds(scenario: Callable[[Ask], Awaitable[None]], ours: Ask) -> None:
    """Ours passes every scenario."""
    await scenario(ours)


async def test_the_rendering_works_with_a_token_in_the_body(ours: Ask) -> None:
    """It is no straw man: it tells a good token from a bad one. Ours takes none from a body."""
    assert await as_written("/api/user/profile", {}, {"token": TOKEN}) == PROFILE
    assert "not authenticated" in await as_written("/api/user/profile", {}, {"token": "guessed"})
    assert (await ours("/api/user/profile", {}, {"token": TOKEN})).startswith("401")
