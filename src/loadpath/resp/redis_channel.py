"""One channel, heard through redis-py: over one connection, or the next when that is lost."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

from redis import exceptions

from loadpath.core.backoff import Backoff
from loadpath.resp.commands import OnGap, OnMessage

QUIET = 5.0
"""Silence (s) after which the server is asked whether it is there; after as much more it is not."""
_BACKOFF = Backoff(base=0.05, cap=2.0, jitter="equal")


class Channel:
    """Hear one channel.

    Args:
        opened: Opens a redis-py PubSub for a block, perhaps to another node than the last.
        name: The channel.
        on_message: Hears the payload of each message.
        on_gap: Hears that some may have been missed.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Any]],
        name: bytes | str,
        on_message: OnMessage,
        on_gap: OnGap | None,
    ) -> None:
        self._opened = opened
        self._name = name
        self._on_message = on_message
        self._on_gap = on_gap
        self._loop = asyncio.get_running_loop()
        self._agreed: asyncio.Future[None] = self._loop.create_future()
        self._random = Random()  # noqa: S311 - spreads tries, guards nothing
        self._failures = 0

    async def agreed(self, hearing: "asyncio.Task[None]") -> None:
        """Wait until the server agreed to the first subscription, or raise why it did not."""
        await asyncio.wait([self._agreed, hearing], return_when=asyncio.FIRST_COMPLETED)
        if hearing.done():
            hearing.result()

    async def hear(self) -> None:
        """Hear until cancelled; only a first subscription that fails is raised."""
        while True:
            try:
                async with self._opened() as pubsub:
                    await self._hear(pubsub)
            except (exceptions.RedisError, OSError):
                if not self._agreed.done():
                    raise
            self._failures += 1
            await asyncio.sleep(_BACKOFF.delay(self._failures, self._random))

    async def _hear(self, pubsub: Any) -> None:
        """Hear over one connection until it is lost, or silent although it was asked."""
        await pubsub.subscribe(self._name)
        asked = False
        while True:
            message = await pubsub.get_message(timeout=QUIET)
            if message is not None:
                asked = False
                self._take(message)
            elif asked:
                return
            else:
                asked = True
                await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._call(self._on_message, message["data"])
        elif message["type"] == "subscribe":
            self._failures = 0
            if not self._agreed.done():
                self._agreed.set_result(None)
            elif self._on_gap is not None:
                self._call(self._on_gap)

    def _call(self, function: Callable[..., None], *arguments: bytes) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - a listener's bug must not end the listening
            context = {"message": "a listener of publications raised", "exception": error}
            self._loop.call_exception_handler(context)
