"""Least connections: the member with the fewest calls in flight for its weight.

Small sets are looked at as a whole, and ties go round by weight, never to the first one again and
again. In large ones the better of two drawn at random is almost as good and costs the same at any
size.

Source: nginx's `least_conn`; M. Mitzenmacher, "The Power of Two Choices in Randomized Load
Balancing" (2001).
"""

from collections.abc import Collection, Sequence
from math import inf
from random import Random

from loadpath.balance.draw import BITS, Pairs
from loadpath.balance.member import Member
from loadpath.balance.picker import others, ready
from loadpath.balance.weighted import SmoothWeighted

SCAN_UP_TO = 16


class LeastConnections:
    """Pick the member with the fewest calls in flight for its weight.

    Args:
        random: Draws the two that are compared in a large set.
        scan_up_to: Ready members up to which each of them is looked at.
    """

    __slots__ = ("_few", "_pairs", "_ready", "_scan_up_to", "_turns")

    def __init__(self, random: Random, *, scan_up_to: int = SCAN_UP_TO) -> None:
        if scan_up_to < 1:
            raise ValueError(f"scan_up_to must be at least 1, not {scan_up_to}")
        self._pairs = Pairs(random)
        self._turns = SmoothWeighted()
        self._ready: list[Member] = []
        self._few = True
        self._scan_up_to = scan_up_to

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._ready = ready(members)
        self._few = len(self._ready) <= self._scan_up_to
        self._turns.update(members)
        self._pairs.update(self._ready)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the least loaded member, or the less loaded of two."""
        del now, key
        if self._few or avoid:
            return self._least(others(self._ready, avoid) if avoid else self._ready)
        pairs = self._pairs
        one = pairs.pool[pairs.bits(BITS) % pairs.size]
        other = pairs.pool[pairs.bits(BITS) % pairs.size]
        if other is one:
            other = pairs.another(one)
        return one if one.active * other.weight <= other.active * one.weight else other

    def _least(self, members: list[Member]) -> Member:
        least, ties = inf, members
        for member in members:
            load = member.active / member.weight
            if load < least:
                least, ties = load, [member]
            elif load == least:
                ties.append(member)
        return ties[0] if len(ties) == 1 else self._turns.among(ties)
