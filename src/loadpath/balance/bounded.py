"""Bounded load: no member gets more than `factor` times its fair share of the calls in flight.

Hashing alone sends a popular key wherever it hashes to. With a bound the overflow walks on to the
next members, few keys move, and no member holds more than `factor` times the average.

Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016);
they and HAProxy recommend 1.25.
"""

from collections.abc import Collection, Iterator, Sequence
from math import inf

from loadpath.balance.member import Member, Tally
from loadpath.balance.picker import ready

FACTOR = 1.25


class Bound:
    """Tell whether a member may take one more call.

    Args:
        factor: Times its fair share that a member may hold, above 1; None for no bound.
    """

    __slots__ = ("_factor", "_share", "_tally")

    def __init__(self, factor: float | None) -> None:
        if factor is not None and not 1 < factor < inf:
            raise ValueError(f"bound must be above 1, or None for no bound, not {factor}")
        self._factor = factor
        self._share = inf
        self._tally = Tally()

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members, which share one tally."""
        self._tally = members[0].tally
        if self._factor is not None:
            self._share = self._factor / sum(member.weight for member in ready(members))

    def admits(self, member: Member) -> bool:
        """Return whether the member is ready and below its bound, rounded up to whole calls."""
        return member.ready and (
            member.active < self._share * (self._tally.active + 1) * member.weight
        )

    def first(self, walk: Iterator[Member], avoid: Collection[Member]) -> Member:
        """Return the first of a walk that admits a call; lacking one, the first that is ready."""
        ready_one = avoided = None
        for member in walk:
            if not member.ready:
                continue
            if member in avoid:
                avoided = avoided or member
            elif self.admits(member):
                return member
            else:
                ready_one = ready_one or member
        found = ready_one or avoided
        assert found is not None, "a picker is only asked while a member is ready"
        return found
