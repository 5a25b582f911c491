"""Defects of the guide's TwitterLikeSystem, each shown by one scenario against it and ours.

A scenario is written once, against what a user of either system can do. The rendering of the
guide must fail it; ours, run as its real processes on a real PostgreSQL, must pass.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import aiohttp
import pytest

from loadpath.local import postgres
from loadpath.local.ports import free_ports
from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.fanout.rings import TimelineReader
from loadpath.systems.timeline.record.postgres import Record
from loadpath.systems.timeline.service import TimelineService
from loadpath.systems.timeline.settings import ApiSettings, FanoutSettings, TimelineSettings
from tests.guide.as_written.timeline import (
    FollowService,
    Process,
    TweetService,
    TwitterLikeSystem,
)
from tests.guide.as_written.timeline import (
    TimelineService as TimelinesAsWritten,
)

LENGTH = 40
"""Posts that a timeline needs to keep at hand."""


class Timelines(Protocol):
    """Do what a user of either system can do."""

    async def pair(self) -> tuple[int, int]:
        """Return an author and a new follower of the author."""
        ...

    async def post(self, author: int, text: str, request: str) -> None:
        """Post, and return when it is acknowledged; `request` names the attempt's intention."""
        ...

    async def crash(self) -> None:
        """Kill the system's processes and start it again."""
        ...

    async def settled(self) -> None:
        """Return when everything that the system still does is done."""
        ...

    def pages(self, user: int, limit: int, /) -> AsyncIterator[list[str]]:
        """Give page after page of a home timeline, newest first."""
        ...

    async def held(self, user: int) -> int:
        """Return how many entries the system holds for a user's timeline."""
        ...


async def all_of(system: Timelines, user: int, *, limit: int = 20) -> list[str]:
    """Return a whole home timeline, newest first."""
    return [text async for page in system.pages(user, limit) for text in page]


async def a_crash_after_the_answer(system: Timelines) -> None:
    """What was acknowledged reaches the follower, although the processes die right after."""
    author, follower = await system.pair()
    await system.post(author, "acknowledged", "1")
    await system.crash()
    await system.settled()
    assert await all_of(system, follower) == ["acknowledged"]


async def posts_between_pages(system: Timelines) -> None:
    """Who reads on sees every post once, although new ones arrive between two pages."""
    author, follower = await system.pair()
    for n in range(10):
        await system.post(author, f"{n}", f"{n}")
        await system.settled()
    seen: list[str] = []
    async for page in system.pages(follower, 5):
        seen += page
        if len(seen) == 5:
            await system.post(author, "new", "new")
            await system.settled()
    assert [text for text in seen if text != "new"] == [f"{n}" for n in range(9, -1, -1)]


async def a_request_sent_again(system: Timelines) -> None:
    """A client that missed the answer sends its request again, and the post is there once."""
    author, follower = await system.pair()
    for _ in range(2):
        await system.post(author, "once", "the same request")
    await system.settled()
    assert await all_of(system, follower) == ["once"]


async def one_post_after_the_other(system: Timelines) -> None:
    """Posts that were acknowledged one after the other are shown in that order."""
    author, follower = await system.pair()
    for n in range(60):
        await system.post(author, f"{n}", f"{n}")
    await system.settled()
    assert await all_of(system, follower) == [f"{n}" for n in range(59, -1, -1)]


async def many_posts(system: Timelines) -> None:
    """However much is posted, what is held for a follower stays bounded, and all is readable."""
    author, follower = await system.pair()
    for n in range(3 * LENGTH):
        await system.post(author, f"{n}", f"{n}")
    await system.settled()
    assert sorted(await all_of(system, follower)) == sorted(f"{n}" for n in range(3 * LENGTH))
    assert await system.held(follower) <= LENGTH


SCENARIOS = [
    a_crash_after_the_answer,
    posts_between_pages,
    a_request_sent_again,
    one_post_after_the_other,
    many_posts,
]
Scenario = Callable[[Timelines], Awaitable[None]]


class AsWritten:
    """Use the rendering of the guide."""

    def __init__(self) -> None:
        self._tweets, self._timelines = TweetService(), TimelinesAsWritten()
        self._follows = FollowService()
        self._start()

    def _start(self) -> None:
        self._process = Process()
        self._system = TwitterLikeSystem(
            self._process, self._tweets, self._timelines, self._follows
        )

    async def pair(self) -> tuple[int, int]:
        """Return an author and a new follower of the author."""
        self._follows.followers[1].append(2)
        return 1, 2

    async def post(self, author: int, text: str, request: str) -> None:
        """Post; the guide has nothing to name a request with."""
        del request
        await self._system.post_tweet(author, text)

    async def crash(self) -> None:
        """Kill the process and start another over the same databases."""
        await self._process.die()
        self._start()

    async def settled(self) -> None:
        """Return when the process is idle."""
        await self._process.idle()

    async def pages(self, user: int, limit: int) -> AsyncIterator[list[str]]:
        """Give page 1, 2, 3, … until one is empty."""
        number = 1
        while page := await self._system.get_timeline(user, number, limit):
            yield [tweet.content for tweet in page]
            number += 1

    async def held(self, user: int) -> int:
        """Return the length of the stored timeline."""
        return len(self._timelines.timelines[user])


class Ours:
    """Use the running system over HTTP."""

    def __init__(
        self, service: TimelineService, record: Record, http: aiohttp.ClientSession
    ) -> None:
        self._service, self._record, self._http = service, record, http
        self._tokens = Tokens(record.identity.secret)

    async def pair(self) -> tuple[int, int]:
        """Return an author and a new follower of the author."""
        users = [await self._record.create_user(f"u_{uuid4().hex[:20]}", None) for _ in range(2)]
        author, follower = (user.id for user in users)
        await self._record.follow(follower, author)
        return author, follower

    def _headers(self, user: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens.issue(user)}"}

    async def post(self, author: int, text: str, request: str) -> None:
        """Post; the request has a key of its own."""
        headers = self._headers(author) | {"Idempotency-Key": request.replace(" ", "-")}
        async with self._http.post("/posts", json={"text": text}, headers=headers) as response:
            assert response.status == 201

    async def crash(self) -> None:
        """Kill every process at once; the service starts them again."""
        await asyncio.gather(*map(self._service.kill, self._service.children))
        await self._service.recovered()

    async def settled(self) -> None:
        """Return when the writers have applied the log."""
        assert await self._service.drained(patience=20.0) == 0

    async def pages(self, user: int, limit: int) -> AsyncIterator[list[str]]:
        """Give page after page, each opened by the cursor of the one before."""
        params = {"limit": str(limit)}
        while True:
            async with self._http.get(
                "/timelines/home", params=params, headers=self._headers(user)
            ) as response:
                assert response.status == 200
                page: dict[str, Any] = await response.json()
            yield [post["text"] for post in page["posts"]]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    async def held(self, user: int) -> int:
        """Return how many ids the user's ring shows."""
        settings = self._service.settings
        reader = await asyncio.to_thread(
            TimelineReader,
            Path(settings.rings),
            shards=1,
            capacity=settings.capacity,
            length=settings.length,
        )
        timeline = reader.newest(user)
        assert timeline is not None
        return len(timeline.ids)


@pytest.fixture(scope="module")
async def ours(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ours]:
    """Run ours: PostgreSQL, one API process, one writer."""
    folder = tmp_path_factory.mktemp("errata")
    async with postgres(relaxed=True) as server:
        settings = TimelineSettings(
            postgres=server.dsn,
            rings=str(folder / "rings"),
            capacity=1_000,
            length=LENGTH,
            api=ApiSettings(port=free_ports(1)[0]),
            fanout=FanoutSettings(poll=0.05),
        )
        async with (
            TimelineService(settings, folder=folder) as service,
            Record.open(server.dsn, connections=2) as record,
            aiohttp.ClientSession(service.url) as http,
        ):
            yield Ours(service, record, http)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_the_guide_as_written_fails(scenario: Scenario) -> None:
    """The rendering of the guide does not do what its users expect."""
    system = AsWritten()
    with pytest.raises(AssertionError):
        await scenario(system)
    await system.crash()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_ours_passes(scenario: Scenario, ours: Ours) -> None:
    """The same scenario holds for the running system."""
    await scenario(ours)
