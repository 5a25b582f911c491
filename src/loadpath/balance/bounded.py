"""Bounded load: no member gets more than `factor` times its fair share of the calls in flight.

Hashing alone sends a popular key wherever it hashes to. With a bound the overflow walks on to the
next members, few keys move, and no member holds more than `factor` times the average.

Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016);
1.25 is what HAProxy's documentation and Vimeo's report on it settle on.
"""

from collections.abc import Collection, Iterable, Sequence
from math import inf

from loadpath.balance.member import Member, Tally

FACTOR = 1.25


class Bound:
    """Know how many calls a member may hold.

    A member admits a call when it is ready and `active < share * (tally.active + 1) * weight`:
    its part of all calls, this one included, times the factor, rounded up. Hot paths compute that
    for themselves.

    Args:
        factor: Times its fair share that a member may hold, above 1; None for no bound.

    Attributes:
        share: The factor over the weight of all ready members; infinite without a bound.
        tally: All calls in flight.
    """

    __slots__ = ("_factor", "share", "tally")

    def __init__(self, factor: float | None) -> None:
        if factor is not None and not 1 < factor < inf:
            raise ValueError(f"bound must be above 1, or None for no bound, not {factor}")
        self._factor = factor
        self.share = inf
        self.tally = Tally()

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members, which share one tally."""
        self.tally = members[0].tally
        if self._factor is not None:
            self.share = self._factor / sum(each.weight for each in members if each.ready)

    def first(self, walk: Iterable[Member], avoid: Collection[Member]) -> Member:
        """Return the first of a walk that admits a call; lacking one, the first that is ready."""
        limit = self.share * (self.tally.active + 1)
        full = avoided = None
        for member in walk:
            if not member.ready:
                continue
            if member in avoid:
                avoided = avoided or member
            elif member.active < limit * member.weight:
                return member
            else:
                full = full or member
        found = full or avoided
        assert found is not None, "a picker is only asked while a member is ready"
        return found
