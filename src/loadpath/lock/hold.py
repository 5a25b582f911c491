"""A block that runs under a lease, and is cancelled the moment the lease is not certain."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from loadpath.lock.errors import ReleaseInDoubtError
from loadpath.lock.held import HeldLock
from loadpath.lock.options import LockOptions
from loadpath.lock.share import Share


class Locks(Protocol):
    """Give and take back the locks of a block."""

    by_task: dict[tuple["asyncio.Task[object]", str], HeldLock]

    async def acquire(
        self, key: str, *, options: LockOptions | None = None, share: Share
    ) -> HeldLock:
        """Take a lock."""
        ...

    async def release(self, held: HeldLock) -> bool:
        """Give a lock back and return whether it was held until now."""
        ...


class Hold:
    """Bind a block to a lease; made by `DistributedLock.hold`."""

    __slots__ = (
        "_cancelling",
        "_cut",
        "_held",
        "_inner",
        "_key",
        "_locks",
        "_options",
        "_reentrant",
        "_share",
        "_task",
    )

    def __init__(
        self, locks: Locks, key: str, options: LockOptions | None, share: Share, *, reentrant: bool
    ) -> None:
        self._locks = locks
        self._key = key
        self._options = options
        self._share = share
        self._reentrant = reentrant
        self._inner = False
        self._cut = False

    async def __aenter__(self) -> HeldLock:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        if self._reentrant and (task, self._key) in self._locks.by_task:
            return self._inside(self._locks.by_task[task, self._key])
        held = await self._locks.acquire(self._key, options=self._options, share=self._share)
        self._held = held
        self._cancelling = task.cancelling()
        held.when_lost(self._cut_off)
        if self._reentrant:
            self._locks.by_task[task, self._key] = held
        return held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._inner:
            return
        if self._reentrant:
            del self._locks.by_task[self._task, self._key]
        ours = self._cut and self._task.uncancel() <= self._cancelling
        if ours and kind is not asyncio.CancelledError:
            await _swallow_cancellation()
        try:
            kept = await self._locks.release(self._held)
        except ReleaseInDoubtError:
            kept = True  # it was held until here, and what is left of it ends with its ttl
        if not kept and (kind is None or (ours and kind is asyncio.CancelledError)):
            raise self._held.loss() from error

    def _inside(self, outer: HeldLock) -> HeldLock:
        outer.check()
        self._inner = True
        return outer

    def _cut_off(self) -> None:
        self._cut = True
        self._task.cancel()


async def _swallow_cancellation() -> None:
    """Take the cancellation that the block has not seen, because it had ended by itself."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
