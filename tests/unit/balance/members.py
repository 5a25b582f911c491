"""Members and balancers that the tests of this room share."""

from collections import Counter
from collections.abc import Sequence

from loadpath.balance import Endpoint, Member, Picker
from loadpath.testing import FakeClock

__all__ = ["FakeClock", "endpoint", "members", "named", "shares", "start", "update"]


def endpoint(name: str, weight: int = 1, *, zone: str = "", priority: int = 0) -> Endpoint:
    """Return an endpoint with a short name as its host."""
    return Endpoint(host=name, port=80, weight=weight, zone=zone, priority=priority)


def members(**weights: int) -> list[Member]:
    """Return a member per name, with its weight."""
    return [Member(endpoint(name, weight)) for name, weight in weights.items()]


def named(count: int, weight: int = 1) -> list[Member]:
    """Return so many members."""
    return [Member(endpoint(f"m{number}", weight)) for number in range(count)]


def update(picker: Picker, given: Sequence[Member]) -> None:
    """Tell a picker the members, which share a tally as those of one level do."""
    for member in given[1:]:
        member.tally = given[0].tally
    picker.update(given)


def start(member: Member, calls: int = 1) -> None:
    """Put calls in flight."""
    member.active += calls
    member.tally.active += calls


def shares(picker: Picker, picks: int, *, key: bytes | None = None) -> Counter[str]:
    """Return how often each host is picked when every call ends at once."""
    return Counter(picker.pick(0.0, key, ()).endpoint.host for _ in range(picks))
