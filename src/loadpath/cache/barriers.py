"""Invalidation by tag in O(1): raise a barrier now, find out per entry later.

A sequence counts invalidations. An entry remembers the number at which computing it began and is
valid while no barrier of its tags is higher. One comparison tells that nothing was invalidated
since the entry was last looked at, so tags cost a hit nothing. Guide: chapter 5.

Source: FusionCache's tagging (a marker per tag, checked lazily).
"""

from collections.abc import Sequence


class Barriers:
    """Remember which tags were invalidated when.

    Args:
        limit: Most tags remembered apart; beyond it everything older counts as invalidated.

    Attributes:
        sequence: Number of the latest invalidation.
    """

    __slots__ = ("_floor", "_limit", "_tags", "sequence")

    def __init__(self, *, limit: int = 10_000) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._tags: dict[str, int] = {}
        self._floor = 0
        self.sequence = 0

    def invalidate(self, tag: str) -> None:
        """Let every entry with the tag that began before now be invalid."""
        self.sequence += 1
        self._tags[tag] = self.sequence
        if len(self._tags) > self._limit:
            self._collapse()

    def invalidate_all(self) -> None:
        """Let every entry that began before now be invalid."""
        self.sequence += 1
        self._collapse()

    def valid(self, tags: Sequence[str], born: int) -> bool:
        """Return whether an entry with these tags, begun at `born`, is still valid."""
        if born < self._floor:
            return False
        barrier = self._tags.get
        return all(barrier(tag, 0) <= born for tag in tags)

    def _collapse(self) -> None:
        self._tags.clear()
        self._floor = self.sequence
