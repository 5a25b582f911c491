"""What the shared layer must still hear: invalidations that it missed, bounded.

Until it has heard them it must not be trusted. One per key, however often; when there are too many
they become one that covers them all, so nothing is lost and nothing grows.

Source: FusionCache's auto-recovery.
"""

from typing import Literal, NamedTuple


class Missed(NamedTuple):
    """Hold one invalidation that the layer missed.

    Attributes:
        kind: By key, by tag, or everything.
        name: Which one; empty for everything.
    """

    kind: Literal["key", "tag", "all"]
    name: str


EVERYTHING = Missed("all", "")


class Recovery:
    """Remember what was missed.

    Args:
        limit: Most invalidations remembered apart.
    """

    __slots__ = ("_limit", "_missed")

    def __init__(self, *, limit: int = 1_000) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._missed: dict[Missed, int] = {}

    def __len__(self) -> int:
        return len(self._missed)

    def add(self, missed: Missed) -> None:
        """Remember one; one of everything stands for all others."""
        if EVERYTHING in self._missed:
            missed = EVERYTHING
        if missed == EVERYTHING or (
            len(self._missed) >= self._limit and missed not in self._missed
        ):
            times = self._missed.get(EVERYTHING, 0)
            self._missed = {EVERYTHING: times + 1}
        else:
            self._missed[missed] = self._missed.get(missed, 0) + 1

    def next(self) -> tuple[Missed, int]:
        """Return the oldest and how often it was added, for `done`."""
        return next(iter(self._missed.items()))

    def done(self, missed: Missed, times: int) -> None:
        """Forget one that the layer heard, unless it was added again meanwhile."""
        if self._missed.get(missed) == times:
            del self._missed[missed]
