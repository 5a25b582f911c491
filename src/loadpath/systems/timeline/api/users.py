"""What everybody may know of a user, kept in memory: a user never changes and never goes.

Who follows whom changes, so it is asked of the record; the fan-out writers hold all of it.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from loadpath.cache import MultiLayerCache
from loadpath.systems.timeline.api.posts import KEPT
from loadpath.systems.timeline.record.model import User

_SIZE = 200
"""Bytes that a user counts for in memory."""


class UserCache:
    """Find users by name, as an async context manager.

    Args:
        fetch: How a user is read: `Record.user`.
        entries: Most users in memory.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[User | None]], *, entries: int) -> None:
        self._fetch = fetch
        self._cache = MultiLayerCache(l1_entries=entries, l1_bytes=entries * _SIZE, options=KEPT)
        self.snapshot = self._cache.snapshot

    async def __aenter__(self) -> Self:
        await self._cache.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._cache.__aexit__(kind, error, trace)

    async def find(self, name: str) -> User | None:
        """Return a user; the record is asked once for all who ask at the same time."""
        found: User | None = await self._cache.get_or_set(name, lambda: self._fetch(name))
        return found
