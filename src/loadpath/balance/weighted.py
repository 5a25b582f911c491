"""Weighted round robin: shares by weight, and no bursts to the heavy ones.

`SmoothWeighted` is nginx's, in its exact order, and looks at every member for each call.
`EarliestDeadline` keeps the same shares in O(log k) for k different weights, for large sets.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from heapq import heapify, heapreplace
from random import Random

from loadpath.balance.member import Member
from loadpath.balance.picker import others, ready

SCAN_UP_TO = 32


class SmoothWeighted:
    """Pick in nginx's order: weights 5, 1, 1 give a a b a c a a.

    Every member gains its weight, the largest sum is picked and loses the total. Failures do not
    lower a weight here, as they do in nginx: ejection and slow start do that for every policy.

    Source: nginx 1.3.1, "smooth weighted round robin balancing" (2012).
    """

    __slots__ = ("_current", "_ready")

    def __init__(self, random: Random | None = None) -> None:
        del random
        self._current: dict[Member, int] = {}
        self._ready: list[Member] = []

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; those that stay keep their sums."""
        self._current = {member: self._current.get(member, 0) for member in members}
        self._ready = ready(members)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member with the largest sum, the first of equals."""
        del now, key
        return self.among(others(self._ready, avoid) if avoid else self._ready)

    def among(self, members: list[Member]) -> Member:
        """Return the member whose turn it is among these."""
        current = self._current
        total, best, most = 0, members[0], None
        for member in members:
            weight = member.weight
            total += weight
            current[member] = gained = current[member] + weight
            if most is None or gained > most:
                best, most = member, gained
        current[best] -= total
        return best


class _Turn:
    """Hold the members of one weight, which take turns."""

    __slots__ = ("members", "place", "step")

    def __init__(self, members: list[Member], place: int) -> None:
        self.members = members
        self.place = place
        self.step = 1.0 / (len(members) * members[0].weight)

    def next(self) -> Member:
        place = self.place
        if place >= len(self.members):
            place = 0
        self.place = place + 1
        return self.members[place]


class EarliestDeadline:
    """Pick by deadlines 1 / weight apart, equal weights sharing one queue.

    A heap orders the different weights, the members of one weight take turns: a pick is
    O(log k) for k weights, however many members there are. Every update draws new phases: shares
    nearly hold even when members change every few calls.

    Source: earliest deadline first as in Envoy's scheduler for weighted clusters.
    """

    __slots__ = ("_heap", "_random", "_ready")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._heap: list[tuple[float, int, _Turn]] = []
        self._ready: list[Member] = []

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._ready = ready(members)
        by_weight: defaultdict[int, list[Member]] = defaultdict(list)
        for member in self._ready:
            by_weight[member.weight].append(member)
        draw = self._random.random
        turns = [_Turn(same, int(draw() * len(same))) for same in by_weight.values()]
        self._heap = [(draw() * turn.step, order, turn) for order, turn in enumerate(turns)]
        heapify(self._heap)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member whose deadline is next."""
        del now, key
        member = self._next()
        if avoid:
            for _ in range(2 * len(self._ready)):
                if member not in avoid:
                    return member
                member = self._next()
            return self._random.choice(others(self._ready, avoid))
        return member

    def _next(self) -> Member:
        deadline, order, turn = self._heap[0]
        if len(self._heap) > 1:
            heapreplace(self._heap, (deadline + turn.step, order, turn))
        return turn.next()


class WeightedRoundRobin:
    """Pick in nginx's order up to `scan_up_to` ready members, by deadlines above.

    Args:
        random: Draws the phases of the deadlines.
        scan_up_to: Ready members up to which looking at each of them is worth its price.
    """

    __slots__ = ("_deadlines", "_scan", "_scan_up_to", "pick")

    def __init__(self, random: Random, *, scan_up_to: int = SCAN_UP_TO) -> None:
        if scan_up_to < 0:
            raise ValueError(f"scan_up_to must be at least 0, not {scan_up_to}")
        self._scan_up_to = scan_up_to
        self._scan = SmoothWeighted()
        self._deadlines = EarliestDeadline(random)
        self.pick = self._scan.pick

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members, and choose the form that suits their number."""
        self._scan.update(members)
        if len(ready(members)) <= self._scan_up_to:
            self.pick = self._scan.pick
        else:
            self._deadlines.update(members)
            self.pick = self._deadlines.pick
