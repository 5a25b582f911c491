"""Home timelines over HTTP from the rings of a running writer, and past them from the record."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from loadpath.core.ids import SnowflakeIds
from loadpath.local import Postgres
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.record.model import NewPost
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.service import TimelineService
from loadpath.systems.timeline.settings import ApiSettings, FanoutSettings, TimelineSettings
from loadpath.testing import FakeClock
from tests.integration.timeline.processes import fresh_database

LENGTH = 40


class System:
    """Use a running system.

    Attributes:
        service: Its processes.
        record: Its record.
        http: A client.
    """

    def __init__(
        self, service: TimelineService, record: Record, http: aiohttp.ClientSession
    ) -> None:
        self.service = service
        self.record = record
        self.http = http
        self.tokens = Tokens(record.identity.secret)

    async def user(self) -> int:
        """Add a user."""
        return (await self.record.create_user(f"u_{uuid4().hex[:20]}", None)).id

    async def page(
        self, user_id: int, cursor: str | None = None, *, limit: int = 10
    ) -> tuple[list[int], str | None, str]:
        """Return ids, next cursor and source of a page of a home timeline."""
        params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        headers = {"Authorization": f"Bearer {self.tokens.issue(user_id)}"}
        async with self.http.get("/timelines/home", params=params, headers=headers) as response:
            assert response.status == 200
            body: dict[str, Any] = await response.json()
            source = response.headers["timeline-source"]
        return [int(post["id"]) for post in body["posts"]], body["next_cursor"], source

    async def fanned_out(self) -> None:
        """Return when the rings have everything."""
        assert await self.service.drained(patience=20.0) == 0


@pytest.fixture(scope="module")
async def system(
    timeline_postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Run the API and one writer over a record of their own."""
    folder: Path = tmp_path_factory.mktemp("system")
    async with fresh_database(timeline_postgres) as dsn:
        settings = TimelineSettings(
            postgres=dsn,
            rings=str(folder / "rings"),
            capacity=1_000,
            length=LENGTH,
            api=ApiSettings(port=free_ports(1)[0]),
            fanout=FanoutSettings(poll=0.05),
        )
        async with (
            TimelineService(settings, folder=folder) as service,
            Record.open(dsn, connections=2) as record,
            aiohttp.ClientSession(service.url) as http,
        ):
            await until_rings_are_ready(http)
            yield System(service, record, http)


async def until_rings_are_ready(http: aiohttp.ClientSession) -> None:
    """Return when the API process has found the rings."""
    async with asyncio.timeout(20):
        while True:
            async with http.get("/ready") as response:
                if (await response.json())["rings"]:
                    return
            await asyncio.sleep(0.05)


async def test_a_new_post_arrives_in_the_ring(system: System) -> None:
    """A post reaches a follower's ring, is shown from there, and goes with an unfollow."""
    author, reader = await system.user(), await system.user()
    await system.record.follow(reader, author)
    ids = SnowflakeIds(system.record.node)
    post = NewPost(ids.next(), author, "hi")
    await system.record.publish([post])
    await system.fanned_out()
    assert await system.page(reader) == ([post.id], None, "ring")
    await system.record.unfollow(reader, author)
    await system.fanned_out()
    assert await system.page(reader) == ([], None, "ring")


async def test_pages_go_on_past_the_ring(system: System) -> None:
    """The first pages come from the ring, the rest from the record: no hole, no duplicate."""
    author, reader = await system.user(), await system.user()
    await system.record.follow(reader, author)
    # Posts of hours: those of the last seconds of a full ring would not be trusted.
    clock = FakeClock(time=1_790_000_000.0)
    ids = SnowflakeIds(system.record.node, clock=clock)
    written: list[int] = []
    for _ in range(3 * LENGTH):
        clock.advance(10.0)
        written.append(ids.next())
        await system.record.publish([NewPost(written[-1], author, "x")])
    await system.fanned_out()
    seen: list[int] = []
    sources: list[str] = []
    cursor: str | None = None
    while cursor is not None or not sources:
        page, cursor, source = await system.page(reader, cursor)
        seen += page
        sources.append(source)
    assert seen == written[::-1]
    assert sources == sorted(sources, reverse=True)  # ring, then record
    assert sources[:2] == ["ring", "ring"]
    assert sources[-1] == "record"


async def test_pages_stand_still_while_posts_arrive(system: System) -> None:
    """Whoever pages down sees every older post once, however many arrive on top meanwhile."""
    author, reader = await system.user(), await system.user()
    await system.record.follow(reader, author)
    ids = SnowflakeIds(system.record.node)
    old = [ids.next() for _ in range(35)]
    await system.record.publish([NewPost(id_, author, "old") for id_ in old])
    await system.fanned_out()
    seen, cursor, _ = await system.page(reader, limit=5)
    while cursor is not None:
        await system.record.publish([NewPost(ids.next(), author, "new") for _ in range(4)])
        page, cursor, _ = await system.page(reader, cursor, limit=5)
        seen += page
    assert seen == old[::-1]


async def test_a_user_without_a_ring_reads_the_record(system: System) -> None:
    """Users beyond the rings' capacity miss nothing but speed."""
    author = await system.user()
    connection = system.record._pool
    async with connection.acquire() as one:
        late: int = await one.fetchval(
            "INSERT INTO users (id, name) VALUES (5000, 'late') RETURNING id"
        )
    await system.record.follow(late, author)
    post = NewPost(SnowflakeIds(system.record.node).next(), author, "hi")
    await system.record.publish([post])
    assert await system.page(late) == ([post.id], None, "record")
