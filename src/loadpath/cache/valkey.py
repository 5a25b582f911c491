"""The shared layer on Valkey or Redis: one command for a read, one script for a step.

Every script is atomic on its server. Stamps come from the server's clock and only grow, even when
that clock steps back or the data is flushed.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Final

from loadpath.cache.codec import HEAD
from loadpath.cache.glob import for_server, literal, matcher
from loadpath.cache.names import Names
from loadpath.cache.scripts import script
from loadpath.cache.store import Claimed
from loadpath.resp import Commands, Sharded, run_script

BARRIER_LIFE: Final = 3_600_000
"""Least life of a barrier (ms): longer than any claim."""
STEP: Final = 1_000
"""Keys that one step of a scan looks at."""


CLAIM: Final = script("claim")
RENEW: Final = script("renew")
FILL: Final = script("fill")
PUT: Final = script("put")
INVALIDATE: Final = script("invalidate")


class ValkeyStore:
    """Hold encoded entries on a server; a `store.Store`.

    Args:
        commands: How to reach it: a `RespClient`, or `RedisCommands` for Sentinel and Cluster.
        prefix: What the keys of the entries begin with. On a cluster it carries a hash tag.
    """

    def __init__(self, commands: Commands, *, prefix: str = "cache:") -> None:
        self.names = Names(prefix)
        self._commands = commands
        self._execute = commands.execute
        self._prefix = self.names.prefix
        self._floor = self.names.floor

    def read(self, keys: Sequence[str]) -> "Awaitable[Any]":
        """Return the floor in digits and then the data of each key."""
        prefix = self._prefix
        if len(keys) == 1:  # much the most frequent, and every step of it counts
            return self._execute("MGET", self._floor, prefix + keys[0])
        return self._execute("MGET", self._floor, *[prefix + key for key in keys])

    async def claim(
        self, key: str, *, token: str, lease: float, seen: bytes, life: float, tags: Sequence[str]
    ) -> Claimed:
        """Ask to be the one that fills a key."""
        keys = [self.names.prefix + key, self.names.leases + key, self.names.stamp]
        reply = await run_script(
            self._commands,
            CLAIM,
            [*keys, self.names.floor, *self._barriers(tags)],
            [token, _ms(lease), seen[:HEAD], _ms(life)],
        )
        return _claimed(reply)

    async def renew(self, key: str, *, token: str, lease: float) -> bool:
        """Stay the one that fills a key; False when it was invalidated or lost."""
        return bool(await self._lease(key, token, _ms(lease)))

    async def release(self, key: str, *, token: str) -> None:
        """Stop being the one that fills a key."""
        await self._lease(key, token, 0)

    async def fill(
        self, key: str, body: bytes, *, token: str, life: float, tags: Sequence[str]
    ) -> bool:
        """Store an entry for `life` seconds if the claim still stands; the stamp is the claim's."""
        keys = [self.names.prefix + key, self.names.leases + key, self.names.floor]
        keys += self._barriers(tags)
        reply = await run_script(self._commands, FILL, keys, [token, _ms(life), body])
        return bool(reply)

    async def put(self, key: str, body: bytes, *, life: float, tags: Sequence[str]) -> None:
        """Store an entry for `life` seconds whatever is there, and end every claim on the key."""
        keys = [self.names.prefix + key, self.names.leases + key, self.names.stamp]
        keys += [self.names.floor, *self._barriers(tags)]
        await run_script(self._commands, PUT, keys, [_ms(life), body])

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys and end every claim on them; return how many were there."""
        removed = 0
        if keys:
            await self._execute("UNLINK", *[self.names.leases + key for key in keys])
            removed = int(await self._execute("UNLINK", *[self.names.prefix + key for key in keys]))
        return removed

    def barriers(self, tags: Sequence[str]) -> "Awaitable[Any]":
        """Return the barrier of each tag in digits, None for one that has none."""
        return self._execute("MGET", *self._barriers(tags))

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Let every entry with one of the tags that was begun before now be invalid."""
        await self._raise(self._barriers(tags), 0)

    async def invalidate_before(self, age: float) -> None:
        """Let every entry begun more than `age` seconds ago be invalid; 0: all."""
        await self._raise([self.names.floor], int(age * 1e6))

    async def remove_matching(self, pattern: str) -> AsyncIterator[int]:
        """Remove what matches a pattern, step by step; yields how many each step removed.

        Claims go first: a value computed before is refused, and one computed later is new.

        Raises:
            ValueError: It is no pattern.
        """
        matches = matcher(pattern)
        async for keys in self._scan(self.names.leases, pattern):
            found = [self.names.leases + key for key in keys if matches(key)]
            if found:
                await self._execute("UNLINK", *found)
            yield 0
        async for keys in self._scan(self.names.prefix, pattern):
            yield await self.remove([key for key in keys if matches(key)])

    async def _scan(self, prefix: str, pattern: str) -> AsyncIterator[list[str]]:
        """Yield the keys behind a prefix that may match, as many as one step finds."""
        match = for_server(literal(prefix)) + for_server(pattern)
        for server in await self._servers():
            cursor: Any = 0
            while True:
                reply: Any = await server.execute("SCAN", cursor, "MATCH", match, "COUNT", STEP)
                cursor, found = reply
                yield [_text(key)[len(prefix) :] for key in found]
                if int(cursor) == 0:
                    break

    async def _servers(self) -> Sequence[Commands]:
        commands = self._commands
        return await commands.primaries() if isinstance(commands, Sharded) else [commands]

    async def _lease(self, key: str, token: str, milliseconds: int) -> Any:
        lease = self.names.leases + key
        return await run_script(self._commands, RENEW, [lease], [token, milliseconds])

    async def _raise(self, barriers: Sequence[str], age: int) -> None:
        keys = [self.names.stamp, *barriers]
        await run_script(self._commands, INVALIDATE, keys, [age, BARRIER_LIFE])

    def _barriers(self, tags: Sequence[str]) -> list[str]:
        return [self.names.barriers + tag for tag in tags]


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _claimed(reply: Any) -> Claimed:
    states: dict[bytes, Claimed] = {b"granted": "granted", b"busy": "busy", b"changed": "changed"}
    return states[reply]
