"""Consistent hashing by a lookup table (Maglev): even shares, and a pick is one array access.

Each member lists the places of the table in an order of its own; they take turns claiming the next
free place of their list until the table is full. Shares are more even than a ring's, and a change
of members moves a few keys more than it must.

Source: D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
section 3.4; weights as in Envoy's Maglev.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from random import Random
from zlib import crc32

from loadpath.balance.bounded import FACTOR, Bound
from loadpath.balance.endpoint import Endpoint
from loadpath.balance.hashing import md5_digest, random_key
from loadpath.balance.member import Member

SIZE = 65_537


class Maglev:
    """Pick by key from a table of `size` places.

    Args:
        random: Places calls without a key.
        bound: Times its fair share of the calls in flight that a member may hold; None: no bound.
        size: Places, a prime well above the number of members; a build costs time in proportion.
    """

    __slots__ = ("_bound", "_built_of", "_members", "_random", "_size", "_table")

    def __init__(self, random: Random, *, bound: float | None = FACTOR, size: int = SIZE) -> None:
        if not is_prime(size):
            raise ValueError(f"size must be a prime, as {SIZE} or 2039, not {size}")
        self._random = random
        self._bound = Bound(bound)
        self._size = size
        self._table: array[int] = array("l")
        self._members: list[Member] = []
        self._built_of: list[tuple[Member, int]] = []

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; the table is built anew only when they or their weights change.

        Raises:
            ValueError: There are more members than places.
        """
        self._bound.update(members)
        built_of = [(member, member.weight) for member in members]
        if built_of != self._built_of:
            places = [permutation(member.endpoint, self._size) for member in members]
            self._table = build(places, [member.weight for member in members], self._size)
            self._members = list(members)
            self._built_of = built_of

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member at the key's place, or the next one that admits a call."""
        del now
        place = crc32(random_key(self._random) if key is None else key) % self._size
        member = self._members[self._table[place]]
        if not avoid and self._bound.admits(member):
            return member
        return self._bound.first(self._walk(place), avoid)

    def _walk(self, place: int) -> Iterator[Member]:
        """Give each member once, in the order of the places that follow."""
        seen: set[int] = set()
        for step in range(self._size):
            index = self._table[(place + step) % self._size]
            if index not in seen:
                seen.add(index)
                yield self._members[index]
            if len(seen) == len(self._members):
                return


def permutation(endpoint: Endpoint, size: int) -> tuple[int, int]:
    """Return where a member begins in the table and how far it steps."""
    digest = md5_digest(endpoint.address.encode())
    offset = int.from_bytes(digest[:8], "little") % size
    return offset, int.from_bytes(digest[8:], "little") % (size - 1) + 1


def build(
    permutations: Sequence[tuple[int, int]], weights: Sequence[int], size: int
) -> "array[int]":
    """Return the table: at each place the number of the member that owns it.

    Args:
        permutations: Each member's first place and step.
        weights: Each member's weight; the heaviest has a turn in every round.
        size: Places, a prime.

    Raises:
        ValueError: There are more members than places.
    """
    if len(permutations) > size:
        raise ValueError(f"size must be above the number of members: {len(permutations)} > {size}")
    table = array("l", [-1]) * size
    places = [offset for offset, _ in permutations]
    steps = [step for _, step in permutations]
    heaviest = max(weights)
    turns = [0.0] * len(places)
    left = size
    while True:
        for number, step in enumerate(steps):
            turns[number] += weights[number]
            if turns[number] < heaviest:
                continue
            turns[number] -= heaviest
            place = places[number]
            while table[place] >= 0:
                place = (place + step) % size
            table[place] = number
            places[number] = place
            left -= 1
            if not left:
                return table


def is_prime(number: int) -> bool:
    """Return whether a number is a prime."""
    return number > 1 and all(number % each for each in range(2, int(number**0.5) + 1))
