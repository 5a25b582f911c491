"""Least response time: the cheaper of two by peak-EWMA latency times calls in flight.

The latency of a member jumps up with one slow answer and falls slowly; a failure counts as slow;
calls in flight count before they are answered. A member that nothing is known of gets one call and
no second one until that is answered: it neither draws the traffic nor stays untried. The guide's
lifetime mean, which starts at zero and knows no calls in flight, does the opposite of all of this.

Source: Finagle's peak-EWMA balancer (Twitter, 2013) over the power of two choices.
"""

from collections.abc import Collection, Sequence
from random import Random

from loadpath.balance.draw import BITS, Pairs
from loadpath.balance.member import Member
from loadpath.balance.picker import others, ready

UNKNOWN = 1e6
"""Cost of a call in flight to a member that never answered yet: more than any latency (s)."""


class LeastResponseTime:
    """Pick the cheaper of two members drawn by weight.

    Args:
        random: Draws the two.
    """

    __slots__ = ("_pairs", "_ready")

    def __init__(self, random: Random) -> None:
        self._pairs = Pairs(random)
        self._ready: list[Member] = []

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._ready = ready(members)
        self._pairs.update(self._ready)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the cheaper of two."""
        del key
        if avoid:
            return min(others(self._ready, avoid), key=lambda member: cost(member, now))
        pairs = self._pairs
        one = pairs.pool[pairs.bits(BITS) % pairs.size]
        other = pairs.pool[pairs.bits(BITS) % pairs.size]
        if other is one:
            other = pairs.another(one)
        latency, its = one.latency.value(now), other.latency.value(now)
        if latency and its:
            mine = latency * (one.active + 1) * other.weight
            return one if mine <= its * (other.active + 1) * one.weight else other
        return one if cost(one, now) <= cost(other, now) else other


def cost(member: Member, now: float) -> float:
    """Return what one more call to a member costs at `now`: seconds of waiting by its weight."""
    latency = member.latency.value(now)
    if not latency:
        return UNKNOWN * member.active / member.weight
    return latency * (member.active + 1) / member.weight
