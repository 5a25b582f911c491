"""Consistent hashing on a ring (ketama): a member that comes or goes moves its own keys only.

The layout is public, so that clients that agree on it agree on every key: libmemcached's, with
MD5, or the one of nginx's `hash … consistent`, with CRC-32.

Source: R. Jones, "libketama" (last.fm, 2007); libmemcached's ketama; nginx's upstream hash module.
"""

from array import array
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from random import Random
from struct import Struct
from typing import Literal, get_args
from zlib import crc32

from loadpath.balance.bounded import FACTOR
from loadpath.balance.consistent import Places
from loadpath.balance.endpoint import Endpoint
from loadpath.balance.hashing import md5_digest, md5_hash, random_key
from loadpath.balance.member import Member

POINTS = 160
LARGEST_RING = 1_000_000
MEMCACHED_PORT = 11_211
LAST = 2**32 - 1
FOUR_WORDS = Struct("<4I")

Layout = Literal["libmemcached", "nginx"]


class Ketama:
    """Pick by key on a ring with 160 points per unit of weight, one million at most.

    Args:
        random: Places calls without a key.
        bound: Times its fair share of the calls in flight that a member may hold; None: no bound.
        layout: Whose ring it is.
    """

    __slots__ = ("_hash", "_hashes", "_places", "_points", "_random", "_shift", "_starts")

    def __init__(
        self, random: Random, *, bound: float | None = FACTOR, layout: Layout = "libmemcached"
    ) -> None:
        if layout not in get_args(Layout):
            raise ValueError(f"layout must be one of {get_args(Layout)}, not {layout!r}")
        self._random = random
        self._places = Places(bound)
        self._hash: Callable[[bytes], int] = md5_hash if layout == "libmemcached" else crc32
        self._points = ketama_points if layout == "libmemcached" else nginx_points
        self._hashes = array("I")
        self._starts = array("I")
        self._shift = 32

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; the ring is built anew only when they or their weights change."""
        if self._places.update(members):
            self._build(members)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member of the first point at or after the key that admits a call."""
        del now
        value = self._hash(random_key(self._random) if key is None else key)
        hashes, place = self._hashes, self._starts[value >> self._shift]
        while hashes[place] < value:
            place += 1
        places = self._places
        member, bound = places.owners[place], places.bound
        if member.ready and not avoid:  # written out: half of all cost of a pick is calls
            limit = bound.share * (bound.tally.active + 1)
            if member.active < limit * member.weight:
                return member
        return places.taker(place, avoid)

    def _build(self, members: Sequence[Member]) -> None:
        per_weight = min(POINTS, LARGEST_RING // sum(member.weight for member in members))
        ring: dict[int, Member] = {}
        for member in members:
            for point in self._points(member.endpoint, max(1, per_weight * member.weight)):
                ring.setdefault(point, member)
        points = sorted(ring)
        self._places.give(list(map(ring.__getitem__, points)))
        self._hashes = array("I", [*points, LAST])
        self._index(points)

    def _index(self, points: list[int]) -> None:
        """Note where each stretch of the ring begins: a search then looks at a point or two."""
        shift = 32 - len(points).bit_length()
        counts = [0] * (1 + (LAST >> shift))
        for point in points:
            counts[point >> shift] += 1
        self._starts = array("I", accumulate(counts[:-1], initial=0))
        self._shift = shift


def ketama_points(endpoint: Endpoint, count: int) -> list[int]:
    """Return a member's points as libmemcached does: four of each MD5 of `host:port-n`.

    A memcached on its usual port goes without port, also as there.
    """
    name = endpoint.host if endpoint.port == MEMCACHED_PORT else endpoint.address
    points: list[int] = []
    for number in range((count + 3) // 4):
        points += FOUR_WORDS.unpack(md5_digest(f"{name}-{number}".encode()))
    return points


def nginx_points(endpoint: Endpoint, count: int) -> list[int]:
    """Return a member's points as nginx does: a chain of CRC-32, each over the one before."""
    host, _, port = endpoint.address.rpartition(":")
    base = crc32(f"{host}\0{port}".encode())
    points: list[int] = []
    point = 0
    for _ in range(count):
        point = crc32(point.to_bytes(4, "little"), base)
        points.append(point)
    return points
