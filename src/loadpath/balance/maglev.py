"""Consistent hashing by a lookup table (Maglev): even shares, and a pick is one array access.

Each member lists the places of the table in an order of its own; they take turns claiming the next
free place of their list until the table is full. Shares are more even than a ring's, and a change
of members moves a few keys more than it must.

Source: D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
section 3.4; weights as in Envoy's Maglev.
"""

from collections.abc import Collection, Sequence
from random import Random
from zlib import crc32

from loadpath.balance.bounded import FACTOR
from loadpath.balance.consistent import Places
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

    __slots__ = ("_places", "_random", "_size")

    def __init__(self, random: Random, *, bound: float | None = FACTOR, size: int = SIZE) -> None:
        if not is_prime(size):
            raise ValueError(f"size must be a prime, as {SIZE} or 2039, not {size}")
        self._random = random
        self._places = Places(bound)
        self._size = size

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; the table is built anew only when they or their weights change.

        Raises:
            ValueError: There are more members than places.
        """
        if self._places.update(members):
            orders = [permutation(member.endpoint, self._size) for member in members]
            table = build(orders, [member.weight for member in members], self._size)
            self._places.give([members[number] for number in table])

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member at the key's place, or the next one that admits a call."""
        del now
        value = crc32(random_key(self._random) if key is None else key)
        return self._places.taker(value % self._size, avoid)


def permutation(endpoint: Endpoint, size: int) -> tuple[int, int]:
    """Return where a member begins in the table and how far it steps."""
    digest = md5_digest(endpoint.address.encode())
    offset = int.from_bytes(digest[:8], "little") % size
    return offset, int.from_bytes(digest[8:], "little") % (size - 1) + 1


def build(permutations: Sequence[tuple[int, int]], weights: Sequence[int], size: int) -> list[int]:
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
    table = [-1] * size
    places = [offset for offset, _ in permutations]
    steps = [step for _, step in permutations]
    heaviest = max(weights)
    turns = [0] * len(places)
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
