"""Acknowledge a write once it is in a durable queue; apply it to the database soon after.

The write and the cache entry are one script, so a reader never sees one without the other. The
queue is a stream on the server: a process that dies loses nothing, another one goes on. One process
applies at a time; a write whose reply was lost is applied again with the same version, so the
database must ignore versions that it has seen. Guide: chapter 5, write-behind, which loses data by
`setImmediate`. Durable means what the server's `appendfsync` means.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from secrets import token_hex
from typing import Any, Final, Self

import msgspec

from loadpath.cache.coalesce import Write, coalesced, version_of
from loadpath.cache.codec import encode
from loadpath.cache.errors import NotStorableError, TooManyWritesError
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.names import Names
from loadpath.cache.scripts import script
from loadpath.cache.stats import WriteBehindStats
from loadpath.core.backoff import Backoff
from loadpath.core.clock import SystemClock
from loadpath.core.errors import LoadpathError
from loadpath.resp import Commands, run_script
from loadpath.resp.encoding import Argument

Apply = Callable[[Sequence[Write]], Awaitable[object]]
"""Applies writes to the database, each conditional on its version; raises if one was not."""
ENQUEUE: Final = script("enqueue")
OWN: Final = script("own")
BURY: Final = script("bury")


class WriteBehind:
    """Write to the cache now and to the database soon, as an async context manager.

    Args:
        cache: The cache whose entries are written; its store has the same prefix.
        commands: How to reach the server; its errors reach whoever writes.
        apply: Applies writes to the database.
        prefix: The prefix of the cache's store.
        max_queued: Most writes in the queue; more are refused.
        max_dead: Most dead letters; beyond it the queue stands still.
        batch: Most writes read from the queue at once.
        interval: How long to wait for writes when there are none (s).
        lease: How long a process that applies is trusted to be alive without a sign (s).
        poison: Errors of `apply` that are the write's own fault: it becomes a dead letter. After
            any other error the batch is tried again, for ever.
        drain_timeout: How long closing waits for the queue to be empty (s); the rest stays in it.
        backoff: Delays between tries.
    """

    def __init__(
        self,
        cache: MultiLayerCache,
        commands: Commands,
        apply: Apply,
        *,
        prefix: str = "cache:",
        max_queued: int = 100_000,
        max_dead: int = 10_000,
        batch: int = 500,
        interval: float = 0.05,
        lease: float = 5.0,
        poison: tuple[type[Exception], ...] = (ValueError, TypeError),
        drain_timeout: float = 10.0,
        backoff: Backoff | None = None,
    ) -> None:
        if min(max_queued, max_dead, batch) < 1 or not min(interval, lease) > 0:
            raise ValueError(
                "max_queued, max_dead and batch must be at least 1, interval and lease above 0 s, "
                f"not {max_queued}, {max_dead}, {batch}, {interval}, {lease}"
            )
        self._cache = cache
        self._commands = commands
        self._apply = apply
        self._names = Names(prefix)
        self._queue = f"#{prefix}writes"
        self._dead = f"#{prefix}writes:dead"
        self._owner = f"#{prefix}writes:owner"
        self._max_queued = max_queued
        self._max_dead = max_dead
        self._batch = batch
        self._interval = interval
        self._lease = lease
        self._poison = poison
        self._drain_timeout = drain_timeout
        self._backoff = backoff or Backoff(base=0.05, cap=5.0, jitter="equal")
        self._random = Random()  # noqa: S311 - spreads tries, guards nothing
        self._token = token_hex(8)
        self._task: asyncio.Task[None] | None = None
        self.queued = 0
        self.applied = 0
        self.coalesced = 0
        self.buried = 0
        self.failures = 0

    async def __aenter__(self) -> Self:
        """Begin to apply what is queued."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait until the queue is empty, at most `drain_timeout`; what is left stays queued."""
        assert self._task is not None
        try:
            with suppress(TimeoutError, LoadpathError, OSError):
                await self.flush(timeout=self._drain_timeout)
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])
            with suppress(LoadpathError, OSError):
                await run_script(self._commands, OWN, [self._owner], [self._token, 0])

    async def put(self, key: str, value: Any) -> int:
        """Write a value; it is queued durably and in the shared layer when this returns.

        Returns:
            The version of the write.

        Raises:
            TooManyWritesError: The queue is full; nothing was written.
            NotStorableError: The value cannot be sent.
            RejectedError: The server cannot be reached; nothing was written.
            InDoubtError: It may have been written; writing it again is safe.
        """
        options = self._cache.options
        body = encode(value, created=SystemClock.time(), fresh=options.l2_ttl)
        life = int((options.l2_ttl + options.grace) * 1000)
        keys = [
            self._queue, self._names.prefix + key, self._names.leases + key, self._names.stamp,
            self._names.floor,
        ]  # fmt: skip
        self._cache.changed(key)
        try:
            arguments: list[Argument] = [self._max_queued, key, _packed(value), life, body]
            id_: Any = await run_script(self._commands, ENQUEUE, keys, arguments)
        finally:
            self._cache.changed(key)
        if id_ is None:
            raise TooManyWritesError(self._max_queued)
        self.queued += 1
        return version_of(id_)

    async def flush(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its own words
        """Return once the queue is empty.

        Raises:
            TimeoutError: It was not, in `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while await self._commands.execute("XLEN", self._queue):  # noqa: ASYNC110 - no event
                await asyncio.sleep(self._interval)

    async def dead_letters(self, count: int = 100) -> list[tuple[Write, str]]:
        """Return the oldest writes that could not be applied, each with the reason."""
        found: Any = await self._commands.execute("XRANGE", self._dead, "-", "+", "COUNT", count)
        return [(_write(id_, fields), _field(fields, b"why").decode()) for id_, fields in found]

    async def forget_dead_letters(self) -> None:
        """Remove every dead letter, once somebody has looked at them."""
        await self._commands.execute("UNLINK", self._dead)

    def snapshot(self) -> WriteBehindStats:
        """Return the counts of this moment."""
        return WriteBehindStats(
            queued=self.queued,
            applied=self.applied,
            coalesced=self.coalesced,
            buried=self.buried,
            failures=self.failures,
        )

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                busy = await self._own() and await self._step()
                attempt = 0
            except Exception:  # noqa: BLE001 - whatever it is, the queue keeps the writes
                self.failures += 1
                attempt += 1
                await asyncio.sleep(self._backoff.delay(attempt, self._random))
            else:
                if not busy:
                    await asyncio.sleep(self._interval)

    async def _own(self) -> bool:
        """Return whether we are the one who applies."""
        milliseconds = int(self._lease * 1000)
        return bool(
            await run_script(self._commands, OWN, [self._owner], [self._token, milliseconds])
        )

    async def _step(self) -> bool:
        """Apply one batch and return whether there was one."""
        found: Any = await self._commands.execute(
            "XRANGE", self._queue, "-", "+", "COUNT", self._batch
        )
        if not found:
            return False
        writes = coalesced([_write(id_, fields) for id_, fields in found])
        try:
            await self._applied(writes)
        except self._poison as error:
            await self._isolate(found, error)
            return True
        await self._commands.execute("XDEL", self._queue, *[id_ for id_, _ in found])
        self.applied += len(writes)
        self.coalesced += len(found) - len(writes)
        return True

    async def _applied(self, writes: Sequence[Write]) -> None:
        """Apply writes, and show meanwhile that we are alive."""
        alive = asyncio.get_running_loop().create_task(self._stay())
        try:
            await self._apply(writes)
        finally:
            alive.cancel()
            await asyncio.wait([alive])

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            with suppress(LoadpathError, OSError):
                await self._own()

    async def _isolate(self, found: Any, error: Exception) -> None:
        """Apply one write after the other; what is poison becomes a dead letter."""
        for id_, fields in found:
            write = _write(id_, fields)
            try:
                if len(found) > 1:
                    await self._applied([write])
                else:
                    raise error
            except self._poison as reason:
                await self._bury(id_, reason)
            else:
                await self._commands.execute("XDEL", self._queue, id_)
                self.applied += 1

    async def _bury(self, id_: bytes, reason: Exception) -> None:
        why = f"{type(reason).__name__}: {reason}"[:1_000]
        arguments: list[Argument] = [self._max_dead, id_, why]
        if not await run_script(self._commands, BURY, [self._queue, self._dead], arguments):
            raise TooManyWritesError(self._max_dead)
        self.buried += 1


def _packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except (TypeError, OverflowError, ValueError, RecursionError) as error:
        raise NotStorableError(type(value).__name__, error) from error


def _write(id_: bytes, fields: Sequence[bytes]) -> Write:
    value = msgspec.msgpack.decode(_field(fields, b"value"))
    return Write(_field(fields, b"key").decode(), value, version_of(id_))


def _field(fields: Sequence[bytes], name: bytes) -> bytes:
    return dict(zip(fields[::2], fields[1::2], strict=True))[name]
