"""Keep writes in a stream on Valkey or Redis, beside the cache's entries.

The write and the cache entry are one script, so a reader never sees one without the other. Durable
means what the server's `appendfsync` means.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from loadpath.cache.coalesce import Write, version_of
from loadpath.cache.codec import encode, encode_value
from loadpath.cache.errors import TooManyWritesError
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.names import Names
from loadpath.cache.queue import Queued, checked_limits
from loadpath.cache.scripts import script
from loadpath.core.clock import SystemClock
from loadpath.resp import Commands, run_script
from loadpath.resp.encoding import Argument

ENQUEUE: Final = script("enqueue")
OWN: Final = script("own")
BURY: Final = script("bury")


class StreamQueue:
    """Keep writes in a stream.

    Args:
        commands: How to reach the server that the cache's store is on.
        prefix: The prefix of the cache's store.
        max_queued: Most writes in the queue; more are refused.
        max_dead: Most dead letters; beyond it the queue stands still.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        prefix: str = "cache:",
        max_queued: int = 100_000,
        max_dead: int = 10_000,
    ) -> None:
        self._max_queued, self._max_dead = checked_limits(max_queued, max_dead)
        self._commands = commands
        self._names = Names(prefix)
        self._queue = f"#{prefix}writes"
        self._dead = f"#{prefix}writes:dead"
        self._owner = f"#{prefix}writes:owner"

    async def put(self, cache: MultiLayerCache, key: str, value: Any) -> int:
        """Keep a write and its cache entry in one step, and return its version.

        Raises:
            TooManyWritesError: The queue is full; nothing was written.
            NotStorableError: The value cannot be sent.
        """
        options = cache.options
        body = encode(value, created=SystemClock.time(), fresh=options.l2_ttl)
        life = int((options.l2_ttl + options.grace) * 1000)
        names = self._names
        keys = [self._queue, names.prefix + key, names.leases + key, names.stamp, names.floor]
        cache.changed(key)
        try:
            arguments: list[Argument] = [self._max_queued, key, encode_value(value), life, body]
            id_: Any = await run_script(self._commands, ENQUEUE, keys, arguments)
        finally:
            cache.changed(key)
        if id_ is None:
            raise TooManyWritesError(self._max_queued)
        return version_of(id_)

    async def own(self, token: str, *, lease: float) -> bool:
        """Ask to be the one that applies, for `lease` seconds; 0 gives it up."""
        arguments: list[Argument] = [token, int(lease * 1000)]
        return bool(await run_script(self._commands, OWN, [self._owner], arguments))

    async def oldest(self, count: int) -> Sequence[Queued]:
        """Return the writes that have waited longest."""
        found: Any = await self._commands.execute("XRANGE", self._queue, "-", "+", "COUNT", count)
        return [Queued(id_, _write(id_, fields)) for id_, fields in found]

    async def done(self, cache: MultiLayerCache, found: Sequence[Queued]) -> None:
        """Remove writes that the database has."""
        del cache  # it has had the entry since the write was made
        await self._commands.execute("XDEL", self._queue, *[one.id for one in found])

    async def bury(self, cache: MultiLayerCache, one: Queued, why: str) -> None:
        """Make a write a dead letter.

        Raises:
            TooManyWritesError: There are as many dead letters as there may be.
        """
        del cache
        arguments: list[Argument] = [self._max_dead, one.id, why]
        if not await run_script(self._commands, BURY, [self._queue, self._dead], arguments):
            raise TooManyWritesError(self._max_dead)

    async def length(self) -> int:
        """Return how many writes wait."""
        waiting: Any = await self._commands.execute("XLEN", self._queue)
        return int(waiting)

    async def dead_letters(self, count: int) -> list[tuple[Write, str]]:
        """Return the oldest dead letters, each with the reason."""
        found: Any = await self._commands.execute("XRANGE", self._dead, "-", "+", "COUNT", count)
        return [(_write(id_, fields), _field(fields, b"why").decode()) for id_, fields in found]

    async def forget_dead_letters(self) -> None:
        """Remove every dead letter."""
        await self._commands.execute("UNLINK", self._dead)


def _write(id_: bytes, fields: Sequence[bytes]) -> Write:
    value = msgspec.msgpack.decode(_field(fields, b"value"))
    return Write(_field(fields, b"key").decode(), value, version_of(id_))


def _field(fields: Sequence[bytes], name: bytes) -> bytes:
    return dict(zip(fields[::2], fields[1::2], strict=True))[name]
