"""Following a resolver: swaps, reasons once, and what is gone is let go."""

import asyncio

import pytest

from loadpath.balance import Balancer, Endpoint, EndpointSet
from loadpath.http import ConnectionPool
from loadpath.upstream import EndpointsChanged, ResolveError, ResolveFailed
from loadpath.upstream.doors import Doors
from loadpath.upstream.follower import Follower
from loadpath.upstream.resolvers.resolver import Stream
from tests.unit.upstream.asked import Heard

A, B = EndpointSet(["a:1"]), EndpointSet(["b:1"])


class Says:
    """Give what a test says, then wait forever."""

    def __init__(self, *found: EndpointSet | ResolveError) -> None:
        self.found = found
        self.closed = False

    async def watch(self) -> Stream:
        """Give it."""
        try:
            for each in self.found:
                yield each
            await asyncio.Event().wait()
        finally:
            self.closed = True


def following(says: Says, heard: Heard) -> tuple[Follower, Balancer]:
    """Return a follower and the balancer that it keeps."""
    balancer = Balancer()
    doors = Doors(breaker=None, tls=False, server_name=None, events=None)
    follower = Follower(
        "orders", says, balancer=balancer, doors=doors, pool=ConnectionPool(), events=heard
    )
    return follower, balancer


async def turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_new_set_is_swapped_in() -> None:
    """Who listens hears what is new and what is gone; an equal set is no news."""
    heard, says = Heard(), Says(A, A, B)
    follower, balancer = following(says, heard)
    async with follower:
        await turns()
        assert balancer.endpoints == B
    assert says.closed
    told = [each for each in heard.events if isinstance(each, EndpointsChanged)]
    assert [(each.added, each.removed, each.total) for each in told] == [
        (("a:1",), (), 1),
        (("b:1",), ("a:1",), 1),
    ]


async def test_a_weight_that_changes_is_a_new_set() -> None:
    """No address is new or gone, and yet the balancer has to know."""
    heavier = EndpointSet([Endpoint(host="a", port=1, weight=5)])
    follower, balancer = following(Says(A, heavier), Heard())
    async with follower:
        await turns()
        assert balancer.endpoints["a:1"].weight == 5


async def test_a_reason_is_told_once_and_forgotten_when_it_is_over() -> None:
    """The same reason again is no news; the set that comes again ends it."""
    heard = Heard()
    gone, other = ResolveError("gone"), ResolveError("other")
    follower, balancer = following(Says(A, gone, gone, other), heard)
    async with follower:
        await turns()
        assert follower.problem == "other"
        assert balancer.endpoints == A
    told = [each.reason for each in heard.events if isinstance(each, ResolveFailed)]
    assert told == ["gone", "other"]
    follower, _ = following(Says(A, gone, A), heard)
    async with follower:
        await turns()
        assert follower.problem == ""


async def test_a_first_reason_is_an_error_and_ends_the_watching() -> None:
    """Nothing runs behind a start that failed."""
    says = Says(ResolveError("gone"), A)
    follower, _ = following(says, Heard())
    with pytest.raises(ResolveError, match="gone"):
        await follower.__aenter__()
    assert says.closed
