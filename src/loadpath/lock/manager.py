"""The guide's manager: locks that are acquired in one place and released in another."""

from typing import Self

import msgspec

from loadpath.lock.errors import ReleaseInDoubtError
from loadpath.lock.held import HeldLock
from loadpath.lock.lock import DistributedLock
from loadpath.lock.options import LockOptions


class LockStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Say how it stands with one lock.

    Attributes:
        key: The lock.
        token: Its fencing token.
        held: Whether it is still guaranteed.
        remaining: How long without another renewal (s).
    """

    key: str
    token: int
    held: bool
    remaining: float


class DistributedLockManager:
    """Keep locks until they are released; the rest is released at the end of the block.

    Each acquisition is one of its own: a second one of the same key waits for the first like
    anybody else's, and releasing one never releases the other.

    Args:
        lock: Where they are kept; open for as long as this is used.
    """

    def __init__(self, lock: DistributedLock) -> None:
        self._lock = lock
        self._held: dict[HeldLock, None] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Release everything."""
        await self.release_all()

    async def acquire(self, key: str, *, options: LockOptions | None = None) -> HeldLock:
        """Take a lock and keep it until `release`.

        Raises:
            LockTimeout: Somebody else kept it until the wait was over.
            LockUnavailableError: The store could not be asked.
        """
        held = await self._lock.acquire(key, options=options)
        self._held[held] = None
        return held

    async def release(self, held: HeldLock) -> bool:
        """Give a lock back and return whether it was held until now.

        Raises:
            ReleaseInDoubtError: The store did not answer; the lock ends with its ttl.
        """
        self._held.pop(held, None)
        return await self._lock.release(held)

    async def release_all(self) -> int:
        """Give every lock back, and return how many were held until now.

        Raises:
            ReleaseInDoubtError: The store did not answer for one; it ends with its ttl.
        """
        released = 0
        doubt: ReleaseInDoubtError | None = None
        while self._held:
            try:
                released += await self.release(next(iter(self._held)))
            except ReleaseInDoubtError as error:
                doubt = error
        if doubt is not None:
            raise doubt
        return released

    def status(self) -> list[LockStatus]:
        """Return how it stands with every lock that was not released; the store is not asked."""
        return [
            LockStatus(key=one.key, token=one.token, held=one.held, remaining=one.remaining)
            for one in sorted(self._held, key=lambda held: (held.key, held.token))
        ]
