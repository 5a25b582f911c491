"""What a ring and a table have in common: a place for each key, and a walk from there.

Both are built of all members of a set, ready or not: one that is not ready is walked past, so only
its own keys move, and all of them come back.
"""

from collections.abc import Collection, Iterator, Sequence

from loadpath.balance.bounded import Bound
from loadpath.balance.member import Member

NEAR = 8
"""Places behind the end that repeat the first ones, so that short walks need no wrapping."""


class Places:
    """Hold who owns each place, and find who takes a call.

    Args:
        bound: Times its fair share of the calls in flight that a member may hold; None: no bound.

    Attributes:
        bound: How many calls a member may hold.
        owners: Who owns each place, the first ones repeated behind the end.
    """

    __slots__ = ("_built_of", "_count", "_members", "bound", "owners")

    def __init__(self, bound: float | None) -> None:
        self.bound = Bound(bound)
        self.owners: list[Member] = []
        self._built_of: list[tuple[Member, int]] = []
        self._count = 0
        self._members = 0

    def update(self, members: Sequence[Member]) -> bool:
        """Learn the members, and return whether the places must be given out anew."""
        self.bound.update(members)
        built_of = [(member, member.weight) for member in members]
        changed = built_of != self._built_of
        self._built_of = built_of
        return changed

    def give(self, owners: list[Member]) -> None:
        """Give out the places."""
        self._members = len(set(owners))
        self._count = len(owners)
        self.owners = owners + [owners[place % len(owners)] for place in range(NEAR)]

    def taker(self, place: int, avoid: Collection[Member]) -> Member:
        """Return the first member from a place on that admits a call."""
        if not avoid:
            bound = self.bound
            limit = bound.share * (bound.tally.active + 1)
            for member in self.owners[place : place + NEAR]:
                if member.ready and member.active < limit * member.weight:
                    return member
        return self.bound.first(self._walk(place), avoid)

    def _walk(self, place: int) -> Iterator[Member]:
        """Give each member once, in the order in which the places meet them."""
        seen: set[Member] = set()
        for step in range(self._count):
            member = self.owners[(place + step) % self._count]
            if member not in seen:
                seen.add(member)
                yield member
            if len(seen) == self._members:
                return
