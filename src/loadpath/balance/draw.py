"""Draw members at random, by weight: on its own a policy, below others the power of two choices."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from random import Random

from loadpath.balance.member import Member
from loadpath.balance.picker import others, ready

REDRAWS = 3


class WeightedRandom:
    """Pick at random, each member as often as its weight says: O(log n), O(1) for equal weights.

    Args:
        random: Where chance comes from.
    """

    __slots__ = ("_cumulative", "_draw", "_last", "_ready", "_total")

    def __init__(self, random: Random) -> None:
        self._draw = random.random
        self._ready: list[Member] = []
        self._cumulative: list[int] | None = None
        self._total = 0
        self._last = 0

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._ready = ready(members)
        weights = [member.weight for member in self._ready]
        self._cumulative = None if min(weights) == max(weights) else list(accumulate(weights))
        self._total = sum(weights)
        self._last = len(weights) - 1

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return a member at random."""
        del now, key
        member = self.one()
        if avoid and member in avoid:
            return self._among(others(self._ready, avoid))
        return member

    def one(self) -> Member:
        """Return a member at random."""
        if self._cumulative is None:
            return self._ready[int(self._draw() * len(self._ready))]
        at = bisect_right(self._cumulative, self._draw() * self._total, 0, self._last)
        return self._ready[at]

    def two(self) -> tuple[Member, Member]:
        """Return two members at random, different ones unless one weighs almost everything."""
        draw, members = self._draw, self._ready
        if self._cumulative is None:
            count = len(members)
            first = int(draw() * count)
            second = int(draw() * (count - 1))
            return members[first], members[second + 1 if second >= first else second]
        return self._two_by_weight()

    def _among(self, members: list[Member]) -> Member:
        cumulative = list(accumulate(member.weight for member in members))
        at = bisect_right(cumulative, self._draw() * cumulative[-1], 0, len(members) - 1)
        return members[at]

    def _two_by_weight(self) -> tuple[Member, Member]:
        first = second = self.one()
        for _ in range(REDRAWS):
            second = self.one()
            if second is not first:
                break
        return first, second
