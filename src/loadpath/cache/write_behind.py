"""Acknowledge a write once it is in a durable queue; apply it to the database soon after.

The queue is a stream on Valkey or a table of PostgreSQL: a process that dies loses nothing, another
one goes on. One process applies at a time; a write whose reply was lost is applied again with the
same version, so the database must ignore versions that it has seen. Guide: chapter 5, write-behind,
which loses data by `setImmediate`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from secrets import token_hex
from typing import Any, Self

from loadpath.cache.coalesce import Write, coalesced
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.queue import Queued, WriteQueue
from loadpath.cache.stats import WriteBehindStats
from loadpath.core.backoff import Backoff
from loadpath.core.errors import LoadpathError

Apply = Callable[[Sequence[Write]], Awaitable[object]]
"""Applies writes to the database, each conditional on its version; raises if one was not."""


class WriteBehind:
    """Write to the cache now and to the database soon, as an async context manager.

    Args:
        cache: The cache whose entries are written.
        queue: Where writes wait, such as `StreamQueue(client)`; its errors reach whoever writes.
        apply: Applies writes to the database.
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
        queue: WriteQueue,
        apply: Apply,
        *,
        batch: int = 500,
        interval: float = 0.05,
        lease: float = 5.0,
        poison: tuple[type[Exception], ...] = (ValueError, TypeError),
        drain_timeout: float = 10.0,
        backoff: Backoff | None = None,
    ) -> None:
        if batch < 1 or not min(interval, lease) > 0:
            raise ValueError(
                "batch must be at least 1, interval and lease above 0 s, "
                f"not {batch}, {interval}, {lease}"
            )
        self._cache = cache
        self._queue = queue
        self._apply = apply
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
                await self._queue.own(self._token, lease=0)

    async def put(self, key: str, value: Any) -> int:
        """Write a value; it is queued durably and in the shared layer when this returns.

        Returns:
            The version of the write.

        Raises:
            TooManyWritesError: The queue is full; nothing was written.
            NotStorableError: The value cannot be sent.
            NotOpenError: The cache is not open.
            RejectedError: The server cannot be reached; nothing was written.
            InDoubtError: It may have been written; writing it again is safe.
        """
        version = await self._queue.put(self._cache, key, value)
        self.queued += 1
        return version

    async def flush(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its own words
        """Return once the queue is empty.

        Raises:
            TimeoutError: It was not, in `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while await self._queue.length():  # noqa: ASYNC110 - no event
                await asyncio.sleep(self._interval)

    async def dead_letters(self, count: int = 100) -> list[tuple[Write, str]]:
        """Return the oldest writes that could not be applied, each with the reason."""
        return await self._queue.dead_letters(count)

    async def forget_dead_letters(self) -> None:
        """Remove every dead letter, once somebody has looked at them."""
        await self._queue.forget_dead_letters()

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
        return await self._queue.own(self._token, lease=self._lease)

    async def _step(self) -> bool:
        """Apply one batch and return whether there was one."""
        found = await self._queue.oldest(self._batch)
        if not found:
            return False
        writes = coalesced([one.write for one in found])
        try:
            await self._applied(writes)
        except self._poison as error:
            await self._isolate(found, error)
            return True
        await self._queue.done(self._cache, found)
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

    async def _isolate(self, found: Sequence[Queued], error: Exception) -> None:
        """Apply one write after the other; what is poison becomes a dead letter."""
        for one in found:
            try:
                if len(found) > 1:
                    await self._applied([one.write])
                else:
                    raise error
            except self._poison as reason:
                await self._bury(one, reason)
            else:
                await self._queue.done(self._cache, [one])
                self.applied += 1

    async def _bury(self, one: Queued, reason: Exception) -> None:
        why = f"{type(reason).__name__}: {reason}"[:1_000]
        await self._queue.bury(self._cache, one, why)
        self.buried += 1
