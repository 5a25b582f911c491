"""What L1 holds for a key: the value, until when it may be used, and what would invalidate it."""

from typing import Any

ALWAYS = float("inf")
USES = 3
"""Uses of an entry are counted up to this many: S3-FIFO needs two bits."""


class Entry:
    """Hold one value in memory.

    Args:
        value: The value itself, not a copy.
        fresh_until: When it turns stale (monotonic s).
        keep_until: When it may no longer be served even stale (monotonic s).
        eager_at: When it should be refreshed although it is fresh (monotonic s).
        size: What it counts for in a bound by bytes.
        tags: What invalidates it besides its key.
        born: `Barriers.sequence` when computing it began.

    Attributes:
        check_at: Until then a look at the clock is enough to serve it (monotonic s).
        checked: `Barriers.sequence` when its tags were last found valid.
        uses: Uses since it was last considered for eviction, at most `USES`.
        main: Whether it is in the main queue of S3-FIFO.
    """

    __slots__ = (
        "born", "check_at", "checked", "eager_at", "fresh_until", "keep_until", "main", "size",
        "tags", "uses", "value",
    )  # fmt: skip

    def __init__(
        self,
        value: Any,
        *,
        fresh_until: float = ALWAYS,
        keep_until: float = 0.0,
        eager_at: float = ALWAYS,
        size: int = 1,
        tags: tuple[str, ...] = (),
        born: int = 0,
    ) -> None:
        self.value = value
        self.fresh_until = fresh_until
        self.keep_until = max(keep_until, fresh_until)
        self.eager_at = eager_at
        self.check_at = min(eager_at, fresh_until)
        self.size = size
        self.tags = tags
        self.born = born
        self.checked = born
        self.uses = 0
        self.main = False
