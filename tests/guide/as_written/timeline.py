"""The guide's TwitterLikeSystem in Python, statement by statement.

Guide: chapter 7.1. Kept as it is there: the tweet is stored, the fan-out is started and not
awaited, batches of 1,000 followers leave by `setImmediate` and are not awaited either, a timeline
is read by page and limit. The services, which the guide names and does not show, do the least that
their names promise; each call takes a moment, not always the same, as calls over a network do.
What they store outlives the process, as databases do.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

_chance = Random(7)


async def a_moment() -> None:
    """Take as long as a call over a network."""
    await asyncio.sleep(_chance.uniform(0.0, 0.004))


class Process:
    """Stand in for one Node.js process: what it has not done when it dies is never done."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Call an async function without awaiting it."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def set_immediate(self, callback: Callable[[], None]) -> None:
        """Run a callback in the next turn of the event loop."""

        async def turn() -> None:
            await asyncio.sleep(0)
            callback()

        self.start(turn())

    async def idle(self) -> None:
        """Return when nothing runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def die(self) -> None:
        """End at once, as by `kill -9`."""
        for task in self._running:
            task.cancel()
        await self.idle()


@dataclass(frozen=True)
class Tweet:
    """Hold what was written."""

    id: int
    user_id: int
    content: str


class TweetService:
    """Store tweets."""

    def __init__(self) -> None:
        self.tweets: list[Tweet] = []
        self._ids = count(1)

    async def create_tweet(self, user_id: int, content: str) -> Tweet:
        """Store a tweet."""
        await a_moment()
        tweet = Tweet(next(self._ids), user_id, content)
        self.tweets.append(tweet)
        return tweet


class FollowService:
    """Store who follows whom."""

    def __init__(self) -> None:
        self.followers: defaultdict[int, list[int]] = defaultdict(list)

    async def get_followers(self, user_id: int) -> list[int]:
        """Return who follows a user."""
        await a_moment()
        return self.followers[user_id]


class TimelineService:
    """Store timelines, newest first."""

    def __init__(self) -> None:
        self.timelines: defaultdict[int, list[Tweet]] = defaultdict(list)

    async def add_to_timelines(self, users: list[int], tweet: Tweet) -> None:
        """Put a tweet on top of timelines."""
        await a_moment()
        for user in users:
            self.timelines[user].insert(0, tweet)

    async def get_timeline(self, user_id: int, page: int, limit: int) -> list[Tweet]:
        """Return a page."""
        await a_moment()
        return self.timelines[user_id][(page - 1) * limit : page * limit]


class TwitterLikeSystem:
    """Render the guide's class."""

    def __init__(
        self,
        process: Process,
        tweets: TweetService,
        timelines: TimelineService,
        follows: FollowService,
    ) -> None:
        self.process = process
        self.tweet_service = tweets
        self.timeline_service = timelines
        self.follow_service = follows

    async def post_tweet(self, user_id: int, content: str) -> Tweet:
        """Store the tweet, start its fan-out."""
        tweet = await self.tweet_service.create_tweet(user_id, content)
        self.process.start(self.update_followers_timeline(user_id, tweet))
        return tweet

    async def update_followers_timeline(self, user_id: int, tweet: Tweet) -> None:
        """Give the tweet to the followers, 1,000 at a time."""
        followers = await self.follow_service.get_followers(user_id)
        batch_size = 1_000
        for i in range(0, len(followers), batch_size):
            batch = followers[i : i + batch_size]
            self.process.set_immediate(
                lambda batch=batch: self.process.start(
                    self.timeline_service.add_to_timelines(batch, tweet)
                )
            )

    async def get_timeline(self, user_id: int, page: int = 1, limit: int = 20) -> list[Tweet]:
        """Return a page of a timeline."""
        return await self.timeline_service.get_timeline(user_id, page, limit)
