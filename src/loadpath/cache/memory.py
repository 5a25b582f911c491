"""The shared layer in this process: the same steps without a server.

For several caches of one process, and for tests of what is built on a cache. It is bounded, holds
nothing after the process, and shares nothing with another one.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from loadpath.cache.codec import HEAD, VERSION
from loadpath.cache.glob import matcher
from loadpath.cache.store import Claimed
from loadpath.core.clock import Clock, SystemClock

STEP = 1_000


class MemoryStore:
    """Hold encoded entries; a `store.Store`.

    Args:
        clock: Tells both times.
        max_entries: Most entries; the oldest writes leave first.
    """

    def __init__(self, *, clock: Clock | None = None, max_entries: int = 100_000) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries must be at least 1, not {max_entries}")
        self._clock = clock or SystemClock()
        self._max_entries = max_entries
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._leases: dict[str, tuple[float, str, int]] = {}
        self._barriers: OrderedDict[str, int] = OrderedDict()
        self._floor = 0
        self._stamp = 0

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the floor in digits and then the data of each key."""
        return [b"%d" % self._floor, *map(self._get, keys)]

    async def claim(
        self,
        key: str,
        *,
        token: str,
        lease: float,
        seen: bytes,
        life: float,  # noqa: ARG002 - barriers live as long as this object
        tags: Sequence[str],
    ) -> Claimed:
        """Ask to be the one that fills a key."""
        if (self._get(key) or b"")[:HEAD] != seen[:HEAD]:
            return "changed"
        holder = self._holder(key)
        if holder is not None and holder[1] != token:
            return "busy"
        stamp = self._next_stamp() if holder is None else holder[2]
        self._leases[key] = (self._clock.monotonic() + lease, token, stamp)
        self._keep_barriers(tags, stamp)
        return "granted"

    async def renew(self, key: str, *, token: str, lease: float) -> bool:
        """Stay the one that fills a key; False when it was invalidated or lost."""
        holder = self._holder(key)
        if holder is None or holder[1] != token:
            return False
        self._leases[key] = (self._clock.monotonic() + lease, token, holder[2])
        return True

    async def release(self, key: str, *, token: str) -> None:
        """Stop being the one that fills a key."""
        holder = self._holder(key)
        if holder is not None and holder[1] == token:
            del self._leases[key]

    async def fill(
        self, key: str, body: bytes, *, token: str, life: float, tags: Sequence[str]
    ) -> bool:
        """Store an entry for `life` seconds if the claim still stands; the stamp is the claim's."""
        holder = self._holder(key)
        if holder is None or holder[1] != token:
            return False
        self._store(key, body, holder[2], life, tags)
        return True

    async def put(self, key: str, body: bytes, *, life: float, tags: Sequence[str]) -> None:
        """Store an entry for `life` seconds whatever is there, and end every claim on the key."""
        self._store(key, body, self._next_stamp(), life, tags)

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys and end every claim on them; return how many were there."""
        there = sum(self._get(key) is not None for key in keys)
        for key in keys:
            self._entries.pop(key, None)
            self._leases.pop(key, None)
        return there

    async def barriers(self, tags: Sequence[str]) -> list[bytes | None]:
        """Return the barrier of each tag in digits, None for one that has none."""
        return [b"%d" % self._barriers[tag] if tag in self._barriers else None for tag in tags]

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Let every entry with one of the tags that was begun before now be invalid."""
        stamp = self._next_stamp()
        for tag in tags:
            self._barriers[tag] = stamp

    async def invalidate_before(self, age: float) -> None:
        """Let every entry begun more than `age` seconds ago be invalid; 0: all."""
        self._floor = max(self._floor, self._next_stamp() - int(age * 1e6))

    async def remove_matching(self, pattern: str) -> AsyncIterator[int]:
        """Remove what matches a pattern, step by step; yields how many each step removed."""
        matches = matcher(pattern)
        found = [key for key in {*self._entries, *self._leases} if matches(key)]
        for begin in range(0, len(found), STEP):
            yield await self.remove(found[begin : begin + STEP])

    def _get(self, key: str) -> bytes | None:
        until, data = self._entries.get(key, (0.0, b""))
        if self._clock.monotonic() < until:
            return data
        self._entries.pop(key, None)
        return None

    def _holder(self, key: str) -> tuple[float, str, int] | None:
        holder = self._leases.get(key)
        if holder is not None and self._clock.monotonic() >= holder[0]:
            del self._leases[key]
            return None
        return holder

    def _store(self, key: str, body: bytes, stamp: int, life: float, tags: Sequence[str]) -> None:
        self._entries.pop(key, None)
        data = VERSION + b"%016d" % stamp + body
        self._entries[key] = (self._clock.monotonic() + life, data)
        self._leases.pop(key, None)
        self._keep_barriers(tags, stamp)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def _keep_barriers(self, tags: Sequence[str], stamp: int) -> None:
        """Give each tag a barrier; one that is forgotten leaves its entries invalid."""
        for tag in tags:
            self._barriers.setdefault(tag, stamp - 1)
        while len(self._barriers) > self._max_entries:
            self._barriers.popitem(last=False)

    def _next_stamp(self) -> int:
        self._stamp = max(self._stamp + 1, int(self._clock.time() * 1e6))
        return self._stamp
