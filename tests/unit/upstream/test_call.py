"""A call knows where it was tried, what is left of its time, and what it was asked to wait."""

import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from math import inf

import pytest

from loadpath.balance import EndpointSet
from loadpath.http import ConnectionPool, Origin, Request, Timeouts
from loadpath.upstream.call import HttpCall, asked_wait
from loadpath.upstream.doors import Doors
from tests.contracts.mirror_server import mirroring


def door_of(origin: Origin) -> Doors:
    """Return doors of one endpoint."""
    doors = Doors(breaker=None, tls=False, server_name=None, events=None)
    doors.follow(EndpointSet([f"{origin.host}:{origin.port}"]))
    return doors


def call(pool: ConnectionPool, request: Request, timeouts: Timeouts | None = None) -> HttpCall:
    """Return a call without anything special."""
    return HttpCall(
        request,
        pool=pool,
        timeouts=timeouts,
        repeatable=True,
        key=None,
        cookie=None,
        deadline=inf,
    )


def test_tries_are_remembered() -> None:
    """In order, so that the next one goes elsewhere and the error names the last one."""
    doors = Doors(breaker=None, tls=False, server_name=None, events=None)
    doors.follow(EndpointSet(["a:1", "b:1"]))
    asking = call(ConnectionPool(), Request(b"GET", b"/"))
    assert (asking.tried, asking.attempts, asking.address) == ((), 0, None)
    for door in doors:
        asking.try_at(door)
    assert [each.address for each in asking.tried] == ["a:1", "b:1"]
    assert (asking.attempts, asking.address) == (2, "b:1")


async def test_the_deadline_replaces_what_the_request_said() -> None:
    """One field, with what is left, rounded down; a caller's own does not go along."""
    fields = [(b"request-timeout", b"99"), (b"X-One", b"1")]
    async with mirroring() as origin, ConnectionPool() as pool:
        asking = call(pool, Request(b"GET", b"/", fields), Timeouts(read=5.0, total=3.0))
        response = await asking.carry(next(iter(door_of(origin))), 1.2345)
        body = await response.read()
        assert b'"request-timeout":"1.234"' in body
        assert b'"x-one":"1"' in body


async def test_a_body_in_pieces_tells_that_it_was_begun() -> None:
    """From then on it cannot be sent again."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"

    async with mirroring() as origin, ConnectionPool() as pool:
        asking = call(pool, Request(b"PUT", b"/", (), pieces()))
        assert not asking.begun
        response = await asking.carry(next(iter(door_of(origin))), inf)
        await response.read()
        assert asking.begun


@pytest.mark.parametrize(("value", "wait"), [(None, None), ("3", 3.0), ("soon", None)])
def test_the_wait_that_was_asked_for(value: str | None, wait: float | None) -> None:
    """Seconds are taken; what cannot be understood is none."""
    assert asked_wait(value) == wait


def test_the_wait_may_be_a_date() -> None:
    """Until then, by this machine's clock."""
    wait = asked_wait(formatdate(time.time() + 100, usegmt=True))
    assert wait is not None
    assert 0 < wait <= 101
