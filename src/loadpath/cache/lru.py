"""LRU: what was not used for longest leaves first. For those who must match another cache."""

from collections import OrderedDict
from typing import Any

from loadpath.cache.barriers import Barriers
from loadpath.cache.entry import Entry
from loadpath.cache.l1 import L1
from loadpath.core.clock import Clock


class Lru(L1):
    """Hold entries and evict the least recently used.

    Args:
        clock: Tells monotonic time.
        barriers: Which tags were invalidated.
        max_entries: Most entries.
        max_bytes: Most bytes.
    """

    def __init__(
        self, clock: Clock, barriers: Barriers, *, max_entries: int, max_bytes: int
    ) -> None:
        super().__init__(clock, barriers, max_entries=max_entries, max_bytes=max_bytes)
        self._order: OrderedDict[str, None] = OrderedDict()

    def probe(self, key: str, default: Any = None, eager: bool = False) -> Any:  # noqa: FBT001, FBT002 - as in L1
        """Return the value of a key if it is here and fresh, else `default`; counts it."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return default
        if self._monotonic() < entry.check_at and entry.checked == self._barriers.sequence:
            self._order.move_to_end(key)
            self.hits += 1
            return entry.value
        return self._second_look(key, entry, default, eager=eager)

    def _touch(self, key: str, entry: Entry) -> None:  # noqa: ARG002 - the order knows
        self._order.move_to_end(key)

    def _enter(self, key: str, entry: Entry) -> None:  # noqa: ARG002 - the order needs no entry
        self._order[key] = None

    def _leave(self, key: str, entry: Entry) -> None:  # noqa: ARG002 - the same
        del self._order[key]

    def _evict(self, now: float) -> str:  # noqa: ARG002 - age is no matter here
        return self._order.popitem(last=False)[0]
