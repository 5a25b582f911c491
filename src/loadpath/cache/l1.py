"""The first layer: values in this process, bounded by entries and by bytes, read without waiting.

What leaves when it is full is decided by a policy below this base: `S3Fifo` or `Lru`. A hit is one
dict lookup, one reading of the clock, two comparisons. Guide: chapter 5 (L1, 1,000 entries).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from loadpath.cache.barriers import Barriers
from loadpath.cache.entry import USES, Entry
from loadpath.cache.stats import L1Stats
from loadpath.cache.windows import HitWindows
from loadpath.core.clock import Clock


class L1(ABC):
    """Hold entries by key.

    Args:
        clock: Tells monotonic time.
        barriers: Which tags were invalidated.
        max_entries: Most entries.
        max_bytes: Most bytes, as the entries tell their sizes.
    """

    def __init__(
        self, clock: Clock, barriers: Barriers, *, max_entries: int, max_bytes: int
    ) -> None:
        if max_entries < 1 or max_bytes < 1:
            raise ValueError(
                f"max_entries and max_bytes must be at least 1, not {max_entries}, {max_bytes}"
            )
        self._monotonic = clock.monotonic
        self._barriers = barriers
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: dict[str, Entry] = {}
        self._bytes = 0
        self._windows = HitWindows(clock.monotonic())
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self.expired = 0
        self.refusals = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def probe(self, key: str, default: Any = None, eager: bool = False) -> Any:  # noqa: FBT001, FBT002 - on the hottest path
        """Return the value of a key if it is here and fresh, else `default`; counts it.

        Args:
            key: The key.
            default: What a miss returns.
            eager: Return `default`, uncounted, when the value is due for an early refresh.
        """
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return default
        if self._monotonic() < entry.check_at and entry.checked == self._barriers.sequence:
            if entry.uses < USES:
                entry.uses += 1
            self.hits += 1
            return entry.value
        return self._second_look(key, entry, default, eager=eager)

    def peek(self, key: str) -> Entry | None:
        """Return the entry of a key, fresh or stale, None if it may not be served; uncounted."""
        entry = self._entries.get(key)
        if entry is None or self._usable(key, entry, self._monotonic()):
            return entry
        return None

    def put(self, key: str, entry: Entry) -> bool:
        """Hold an entry, evicting others; return False if it is larger than the whole layer."""
        self.remove(key)
        if entry.size > self._max_bytes:
            self.refusals += 1
            return False
        self._entries[key] = entry
        self._bytes += entry.size
        self._enter(key, entry)
        now = self._monotonic()
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(self._evict(now))
            self.evictions += 1
        return key in self._entries

    def remove(self, key: str) -> bool:
        """Forget a key and return whether it was here."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        self._leave(key, entry)
        self._drop(key)
        return True

    def remove_where(self, matches: Callable[[str], bool]) -> int:
        """Forget every key that matches and return how many."""
        found = [key for key in self._entries if matches(key)]
        for key in found:
            self.remove(key)
        return len(found)

    def keys(self) -> Iterator[str]:
        """Return the keys held, in no order; do not change the layer meanwhile."""
        return iter(self._entries)

    def mark(self) -> None:
        """Note how far the counts are, for the ratios of the last minutes."""
        self._windows.mark(self._monotonic(), self.hits, self.misses)

    def snapshot(self) -> L1Stats:
        """Return the counts of this moment."""
        return L1Stats(
            entries=len(self._entries),
            bytes=self._bytes,
            hits=self.hits,
            misses=self.misses,
            evictions=self.evictions,
            expired=self.expired,
            refusals=self.refusals,
            lately=self._windows.ratios(self._monotonic(), self.hits, self.misses),
        )

    @abstractmethod
    def _enter(self, key: str, entry: Entry) -> None:
        """Give a new entry its place."""

    @abstractmethod
    def _leave(self, key: str, entry: Entry) -> None:
        """Take an entry out of its place."""

    @abstractmethod
    def _evict(self, now: float) -> str:
        """Take the entry that must go out of its place and return its key."""

    def _touch(self, key: str, entry: Entry) -> None:  # noqa: ARG002 - an order would need it
        """Learn that an entry was used."""
        if entry.uses < USES:
            entry.uses += 1

    def _second_look(self, key: str, entry: Entry, default: Any, *, eager: bool) -> Any:
        now = self._monotonic()
        if not self._usable(key, entry, now) or now >= entry.fresh_until:
            self.misses += 1
            return default
        if eager and now >= entry.eager_at:
            return default
        self._touch(key, entry)
        self.hits += 1
        return entry.value

    def _usable(self, key: str, entry: Entry, now: float) -> bool:
        """Return whether it may be served, even stale; what may not is forgotten."""
        barriers = self._barriers
        if entry.checked != barriers.sequence:
            if not barriers.valid(entry.tags, entry.born):
                self.remove(key)
                return False
            entry.checked = barriers.sequence
        if now < entry.keep_until:
            return True
        self.expired += 1
        self.remove(key)
        return False

    def _drop(self, key: str) -> None:
        self._bytes -= self._entries.pop(key).size
