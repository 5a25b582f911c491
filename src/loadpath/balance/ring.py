"""Consistent hashing on a ring (ketama): a member that comes or goes moves its own keys only.

The layout is public, so that clients that agree on it agree on every key: libmemcached's, with
MD5, or the one of nginx's `hash … consistent`, with CRC-32. The ring is built of all members of a
set; one that is not ready is walked past, so only its own keys move and all of them come back.

Source: R. Jones, "libketama" (last.fm, 2007); libmemcached's ketama; nginx's upstream hash module.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import Literal, get_args
from zlib import crc32

from loadpath.balance.bounded import FACTOR, Bound
from loadpath.balance.endpoint import Endpoint
from loadpath.balance.hashing import md5_digest, md5_hash, random_key
from loadpath.balance.member import Member

POINTS = 160
LARGEST_RING = 1_000_000
MEMCACHED_PORT = 11_211

Layout = Literal["libmemcached", "nginx"]


class Ketama:
    """Pick by key on a ring with 160 points per unit of weight.

    Args:
        random: Places calls without a key.
        bound: Times its fair share of the calls in flight that a member may hold; None: no bound.
        layout: Whose ring it is.
    """

    __slots__ = ("_bound", "_built_of", "_hash", "_hashes", "_owners", "_points", "_random")

    def __init__(
        self, random: Random, *, bound: float | None = FACTOR, layout: Layout = "libmemcached"
    ) -> None:
        if layout not in get_args(Layout):
            raise ValueError(f"layout must be one of {get_args(Layout)}, not {layout!r}")
        self._random = random
        self._bound = Bound(bound)
        self._hash: Callable[[bytes], int] = md5_hash if layout == "libmemcached" else crc32
        self._points = ketama_points if layout == "libmemcached" else nginx_points
        self._hashes: list[int] = []
        self._owners: list[Member] = []
        self._built_of: list[tuple[Member, int]] = []

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members; the ring is built anew only when they or their weights change."""
        self._bound.update(members)
        built_of = [(member, member.weight) for member in members]
        if built_of != self._built_of:
            self._built_of = built_of
            self._build(members)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member of the first point at or after the key that admits a call."""
        del now
        hashes = self._hashes
        place = bisect_left(hashes, self._hash(random_key(self._random) if key is None else key))
        member = self._owners[place if place < len(hashes) else 0]
        if not avoid and self._bound.admits(member):
            return member
        return self._bound.first(self._walk(place), avoid)

    def _build(self, members: Sequence[Member]) -> None:
        per_weight = min(POINTS, LARGEST_RING // sum(member.weight for member in members))
        ring: dict[int, Member] = {}
        for member in members:
            for point in self._points(member.endpoint, max(1, per_weight * member.weight)):
                ring.setdefault(point, member)
        self._hashes = sorted(ring)
        self._owners = [ring[point] for point in self._hashes]

    def _walk(self, place: int) -> Iterator[Member]:
        """Give each member once, in the order in which the ring meets them."""
        seen: set[Member] = set()
        owners = self._owners
        for step in range(len(owners)):
            member = owners[(place + step) % len(owners)]
            if member not in seen:
                seen.add(member)
                yield member
            if len(seen) == len(self._built_of):
                return


def ketama_points(endpoint: Endpoint, count: int) -> Iterator[int]:
    """Give a member's points as libmemcached does: four of each MD5 of `host:port-n`.

    A memcached on its usual port goes without port, also as there.
    """
    name = endpoint.host if endpoint.port == MEMCACHED_PORT else endpoint.address
    for number in range((count + 3) // 4):
        digest = md5_digest(f"{name}-{number}".encode())
        for at in range(0, 16, 4):
            yield int.from_bytes(digest[at : at + 4], "little")


def nginx_points(endpoint: Endpoint, count: int) -> Iterator[int]:
    """Give a member's points as nginx does: a chain of CRC-32, each over the one before."""
    host, _, port = endpoint.address.rpartition(":")
    base = crc32(f"{host}\0{port}".encode())
    point = 0
    for _ in range(count):
        point = crc32(point.to_bytes(4, "little"), base)
        yield point
