"""Talk to the timeline's API: sign up, follow, post exactly once, read page by page.

Starts a real PostgreSQL, one API process and one fan-out writer, and stops them at the end.
Run: python examples/03_timeline_api.py
"""

import asyncio
from typing import Any

import aiohttp

from loadpath.local import postgres, workspace
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.service import TimelineService
from loadpath.systems.timeline.settings import ApiSettings, TimelineSettings

Headers = dict[str, str]


async def sign_up(http: aiohttp.ClientSession, name: str) -> Headers:
    """Make an account and return the header that says who asks."""
    login = {"name": name, "password": "correct horse"}
    async with http.post("/users", json=login) as answer:
        assert answer.status == 201
    async with http.post("/sessions", json=login) as answer:
        session = await answer.json()
    return {"Authorization": f"Bearer {session['token']}"}


async def post(
    http: aiohttp.ClientSession, user: Headers, text: str, *, key: str
) -> tuple[int, dict[str, Any]]:
    """Post; with the same key it may be sent as often as needed."""
    headers = user | {"Idempotency-Key": key}
    async with http.post("/posts", json={"text": text}, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def home(http: aiohttp.ClientSession, user: Headers) -> None:
    """Print a home timeline, two posts a page."""
    params = {"limit": "2"}
    while True:
        async with http.get("/timelines/home", params=params, headers=user) as answer:
            page = await answer.json()
        for each in page["posts"]:
            print(f"  {each['created_at']}  {each['author']}: {each['text']}")
        if page["next_cursor"] is None:
            return
        print("  -- next page")
        params["cursor"] = page["next_cursor"]


async def main() -> None:
    """Run the system and use it."""
    async with workspace() as folders, postgres() as server:
        settings = TimelineSettings(
            postgres=server.dsn,
            rings=str(folders.memory),
            capacity=1_000,
            api=ApiSettings(port=free_ports(1)[0]),
        )
        async with (
            TimelineService(settings, folder=folders.disk) as service,
            aiohttp.ClientSession(service.url) as http,
        ):
            alice, bob = await sign_up(http, "alice"), await sign_up(http, "bob")
            async with http.post("/users/bob/follow", headers=alice) as answer:
                print(f"alice follows bob: {answer.status}")

            for n in range(1, 4):
                await post(http, bob, f"post {n}", key=f"key-{n}")
            status, first = await post(http, bob, "post 3", key="key-3")
            print(f"sent again with its key: {status}, the same post {first['id']}")
            status, problem = await post(http, bob, "something else", key="key-3")
            print(f"another text under that key: {status}, {problem['detail']}")
            status, problem = await post(http, bob, "\0", key="key-4")
            print(f"a control character: {status}, field {problem['field']!r}")

            await service.drained()
            print("alice's home timeline:")
            await home(http, alice)


if __name__ == "__main__":
    asyncio.run(main())
