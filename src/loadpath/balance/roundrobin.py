"""Round robin: one after the other, whatever their weight."""

from collections.abc import Collection, Sequence
from random import Random

from loadpath.balance.member import Member
from loadpath.balance.picker import ready


class RoundRobin:
    """Pick members in turn, in the order of their set; a change goes on where it was.

    Args:
        random: Draws the first place, so that many clients do not start together; None starts
            with the first member, as the guide does.
    """

    __slots__ = ("_last", "_order", "_place", "_random", "_ready")

    def __init__(self, random: Random | None = None) -> None:
        self._random = random
        self._order: dict[Member, int] = {}
        self._ready: list[Member] = []
        self._place = 0

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; the next one in order is still the next."""
        last = self._ready[self._place - 1] if self._ready else None
        self._order = {member: place for place, member in enumerate(members)}
        self._ready = ready(members)
        if last in self._order:
            after = self._order[last]
            self._place = sum(self._order[member] <= after for member in self._ready)
        elif self._random is not None:
            self._place = self._random.randrange(len(self._ready))
        else:
            self._place = 0

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the next member in turn."""
        del now, key
        member = self._next()
        if avoid:
            for _ in self._ready:
                if member not in avoid:
                    break
                member = self._next()
        return member

    def _next(self) -> Member:
        place = self._place
        if place >= len(self._ready):
            place = 0
        self._place = place + 1
        return self._ready[place]
