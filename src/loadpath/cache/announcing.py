"""Tell all processes of a change by publishing it: for Cluster and Sentinel, through redis-py.

A server in a cluster tells a tracking connection of its own keys only, and a fail-over moves them.
What is published on any node is heard on every node. The price: changes by foreign clients are not
heard, and neither is one whose process dies between the change and the publication; memory then
serves the old value up to its ttl. When publications may have been missed, memory is distrusted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from loadpath.cache.hearing import Hearing
from loadpath.cache.names import Names
from loadpath.cache.store import Claimed, Store
from loadpath.resp import Commands, Publications


class Client(Commands, Publications, Protocol):
    """Run commands and hear what is published: a `RedisCommands`, or a `RespClient`."""


class AnnouncedBackplane:
    """Tell a cache what processes with an `AnnouncingStore` change.

    Args:
        client: Where it is published.
        prefix: The prefix of the store.
    """

    def __init__(self, client: Client, *, prefix: str = "cache:") -> None:
        self._client = client
        self._names = Names(prefix)

    async def start(self, hearing: Hearing) -> Callable[[], Awaitable[None]]:
        """Begin to tell, and return what ends that.

        Raises:
            NotAllowedError: This user may not hear the channel.
            ReplyLostError: There is no connection now.
        """
        agreed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._hear(hearing, agreed))
        try:
            await agreed
        except BaseException:
            await _ended(task)
            raise
        return partial(_ended, task)

    async def _hear(self, hearing: Hearing, agreed: "asyncio.Future[None]") -> None:
        def on_message(payload: bytes) -> None:
            self._names.tell(payload.decode("utf-8", "surrogateescape"), hearing)

        try:
            async with self._client.subscribed(
                self._names.channel, on_message, on_gap=hearing.all_changed
            ):
                agreed.set_result(None)
                await asyncio.Event().wait()
        except Exception as error:  # noqa: BLE001 - whoever starts it hears of it
            if not agreed.done():
                agreed.set_exception(error)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


class AnnouncingStore:
    """Publish what another store changes; a `store.Store`.

    Args:
        store: The store.
        commands: Where it is published.
        prefix: The prefix of the store.
    """

    read: Callable[[Sequence[str]], Awaitable[Sequence[bytes | None]]]
    claim: Callable[..., Awaitable[Claimed]]
    renew: Callable[..., Awaitable[bool]]
    release: Callable[..., Awaitable[None]]
    barriers: Callable[[Sequence[str]], Awaitable[Sequence[bytes | None]]]

    def __init__(self, store: Store, commands: Commands, *, prefix: str = "cache:") -> None:
        self._store = store
        self._commands = commands
        self._names = Names(prefix)
        self.read = store.read
        self.claim = store.claim
        self.renew = store.renew
        self.release = store.release
        self.barriers = store.barriers

    async def fill(
        self, key: str, body: bytes, *, token: str, life: float, tags: Sequence[str]
    ) -> bool:
        """Store an entry for `life` seconds if the claim still stands, and say so."""
        filled = await self._store.fill(key, body, token=token, life=life, tags=tags)
        if filled:
            await self._announce(self._names.prefix + key)
        return filled

    async def put(self, key: str, body: bytes, *, life: float, tags: Sequence[str]) -> None:
        """Store an entry for `life` seconds whatever is there, and say so."""
        await self._store.put(key, body, life=life, tags=tags)
        await self._announce(self._names.prefix + key)

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys, and say so, whether or not they were there: memory may have them."""
        removed = await self._store.remove(keys)
        await self._announce(*[self._names.prefix + key for key in keys])
        return removed

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Let every entry with one of the tags be invalid, and say so."""
        await self._store.invalidate_tags(tags)
        await self._announce(*[self._names.barriers + tag for tag in tags])

    async def invalidate_before(self, age: float) -> None:
        """Let every entry begun more than `age` seconds ago be invalid, and say so."""
        await self._store.invalidate_before(age)
        await self._announce(self._names.floor)

    async def remove_matching(self, pattern: str) -> AsyncIterator[int]:
        """Remove what matches a pattern; then every memory is distrusted."""
        try:
            async for removed in self._store.remove_matching(pattern):
                yield removed
        finally:
            await self._announce(self._names.floor)

    async def _announce(self, *names: str) -> None:
        await asyncio.gather(
            *(self._commands.execute("PUBLISH", self._names.channel, name) for name in names)
        )
