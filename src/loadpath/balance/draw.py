"""Draw members at random, by weight: on its own a policy, below others the power of two choices."""

from collections.abc import Collection, Sequence
from math import gcd
from random import Random

from loadpath.balance.member import Member
from loadpath.balance.picker import others, ready

REDRAWS = 3
BITS = 30
"""Random bits of one draw: the fewest digits that Python's integers have, so the quickest."""


class WeightedRandom:
    """Pick at random, each member as often as its weight says, at the same cost for any number.

    Args:
        random: Where chance comes from.
    """

    __slots__ = ("_bits", "_pool", "_random", "_ready", "_size")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._bits = random.getrandbits
        self._ready: list[Member] = []
        self._pool: list[Member] = []
        self._size = 0

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._ready = ready(members)
        self._pool = pool(self._ready)
        self._size = len(self._pool)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return a member at random."""
        del now, key
        member = self._pool[self._bits(BITS) % self._size]
        if avoid and member in avoid:
            return self._random.choice(pool(others(self._ready, avoid)))
        return member


class Pairs:
    """Draw two members by weight, different ones unless one weighs almost everything.

    Hot paths draw for themselves: `pool[bits(BITS) % size]` twice, `another` if both are one.

    Attributes:
        pool: The members, each as often as its weight says.
        size: Length of the pool.
        bits: Gives random bits.
    """

    __slots__ = ("bits", "pool", "size")

    def __init__(self, random: Random) -> None:
        self.bits = random.getrandbits
        self.pool: list[Member] = []
        self.size = 0

    def update(self, members: list[Member]) -> None:
        """Draw from these members from now on."""
        self.pool = pool(members)
        self.size = len(self.pool)

    def another(self, one: Member) -> Member:
        """Return a different member if a few more draws give one."""
        for _ in range(REDRAWS):
            other = self.pool[self.bits(BITS) % self.size]
            if other is not one:
                return other
        return one


def pool(members: list[Member]) -> list[Member]:
    """Return each member as often as its weight says, as few times as that takes."""
    common = gcd(*(member.weight for member in members))
    return [member for member in members for _ in range(member.weight // common)]
