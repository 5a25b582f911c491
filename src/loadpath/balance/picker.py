"""What a policy is: told the members when something changes, asked for one at every call.

Deciding is pure and cheap; everything that may be computed before a call is computed in `update`.
A member that is not `ready` is never picked while another is.
"""

from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Protocol

from loadpath.balance.member import Member


class Picker(Protocol):
    """Pick the member that gets the next call."""

    def update(self, members: Sequence[Member]) -> None:
        """Learn which members there are and which are ready; at least one is."""
        ...

    def pick(self, now: float, key: bytes | None, avoid: Collection[Member]) -> Member:
        """Return a ready member.

        Args:
            now: Monotonic time (s).
            key: What the call is about; policies by hash give equal keys the same member.
            avoid: Members not to be picked while another one is ready (tried before).
        """
        ...


Policy = Callable[[Random], Picker]
"""Makes a picker that draws from the given random source: a picker's class is one."""


def ready(members: Sequence[Member]) -> list[Member]:
    """Return the members that may be picked."""
    return [member for member in members if member.ready]


def others(members: list[Member], avoid: Collection[Member]) -> list[Member]:
    """Return the members that are not to be avoided; all of them when none is left."""
    return [member for member in members if member not in avoid] or members
