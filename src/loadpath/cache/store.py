"""What the shared layer does for a cache: a small set of steps, each atomic where it runs.

Every write gets a stamp, a number that only grows, given when computing its value began. An entry
is valid while its stamp is above the floor and above the barrier of each of its tags; an entry
whose floor or tag has no barrier is invalid, because the barrier may have been evicted.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Literal, Protocol

Claimed = Literal["granted", "busy", "changed"]
"""What became of the wish to fill a key: another process fills it, or it holds something new."""


class Store(Protocol):
    """Hold encoded entries for many processes."""

    def read(self, keys: Sequence[str]) -> "Awaitable[Sequence[bytes | None]]":
        """Return the floor in digits and then the data of each key."""
        ...

    async def claim(
        self, key: str, *, token: str, lease: float, seen: bytes, life: float, tags: Sequence[str]
    ) -> Claimed:
        """Ask to be the one that fills a key.

        Args:
            key: The key.
            token: Who asks; asking again is the same as asking once.
            lease: For how long (s).
            seen: The first `codec.HEAD` bytes of the data that the caller found wanting.
            life: How long the entry will be of use (s).
            tags: Tags that it will have, as far as they are known.
        """
        ...

    async def renew(self, key: str, *, token: str, lease: float) -> bool:
        """Stay the one that fills a key; False when it was invalidated or lost."""
        ...

    async def release(self, key: str, *, token: str) -> None:
        """Stop being the one that fills a key."""
        ...

    async def fill(
        self, key: str, body: bytes, *, token: str, life: float, tags: Sequence[str]
    ) -> bool:
        """Store an entry for `life` seconds if the claim still stands; the stamp is the claim's."""
        ...

    async def put(self, key: str, body: bytes, *, life: float, tags: Sequence[str]) -> None:
        """Store an entry for `life` seconds whatever is there, and end every claim on the key."""
        ...

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys and end every claim on them; return how many were there."""
        ...

    def barriers(self, tags: Sequence[str]) -> "Awaitable[Sequence[bytes | None]]":
        """Return the barrier of each tag in digits, None for one that has none."""
        ...

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Let every entry with one of the tags that was begun before now be invalid."""
        ...

    async def invalidate_before(self, age: float) -> None:
        """Let every entry begun more than `age` seconds ago be invalid; 0: all."""
        ...

    def remove_matching(self, pattern: str) -> AsyncIterator[int]:
        """Remove what matches a pattern, step by step; yields how many each step removed."""
        ...
