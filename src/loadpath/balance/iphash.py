"""IP hash: clients of one IPv4 network of 256 addresses, or one IPv6 address, stay together.

Every client moves when the set changes; use `Ketama` or `Maglev` where that matters.

Source: nginx's `ip_hash`, bit by bit.
"""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from itertools import accumulate
from random import Random

from loadpath.balance.member import Member
from loadpath.balance.picker import others
from loadpath.balance.weighted import SmoothWeighted

BASE = 89
MULTIPLIER = 113
MODULUS = 6_271
TRIES = 20


class IPHash:
    """Pick by the client's address, which the key of a call is.

    A member that is not ready, or to be avoided, is passed by hashing again, 20 times at most;
    then, and for calls without a key, members take turns by weight.

    Args:
        random: Not used: nothing here is left to chance.
    """

    __slots__ = ("_cumulative", "_members", "_ready", "_total", "_turns")

    def __init__(self, random: Random | None = None) -> None:
        del random
        self._members: list[Member] = []
        self._ready: list[Member] = []
        self._cumulative: list[int] = []
        self._total = 0
        self._turns = SmoothWeighted()

    def update(self, members: Sequence[Member]) -> None:
        """Learn the members."""
        self._members = list(members)
        self._ready = [member for member in members if member.ready]
        self._cumulative = list(accumulate(member.weight for member in members))
        self._total = self._cumulative[-1]
        self._turns.update(members)

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return the member that the client's address hashes to.

        Raises:
            ValueError: The key is no IP address.
        """
        del now
        if key is not None and len(self._members) > 1:
            value = first_hash(key)
            for _ in range(TRIES + 1):
                member = self._members[bisect_right(self._cumulative, value % self._total)]
                if member.ready and member not in avoid:
                    return member
                value = next_hash(value, hashed_octets(key))
        return self._turns.among(others(self._ready, avoid))


@lru_cache(maxsize=8_192)
def first_hash(key: bytes) -> int:
    """Return the hash of an address."""
    return next_hash(BASE, hashed_octets(key))


def next_hash(value: int, octets: bytes) -> int:
    """Return the hash that follows, over the same octets."""
    for octet in octets:
        value = (value * MULTIPLIER + octet) % MODULUS
    return value


def hashed_octets(key: bytes) -> bytes:
    """Return the octets of an address that count: three of IPv4, all of IPv6.

    Raises:
        ValueError: It is no IP address.
    """
    try:
        address = ip_address(key.decode())
    except ValueError as error:
        raise ValueError(f"key must be the client's IP address for IPHash: {error}") from None
    return address.packed[:3] if isinstance(address, IPv4Address) else address.packed
