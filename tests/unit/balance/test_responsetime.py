"""The quicker of two, by what is known now."""

from random import Random

import pytest

from loadpath.balance import LeastResponseTime
from loadpath.balance.responsetime import UNKNOWN, cost
from tests.unit.balance.members import members, named, shares, start, update


def test_a_cost_is_latency_times_queue_by_weight() -> None:
    """The next call waits for those in flight; twice the weight is half the cost."""
    (member,) = members(a=2)
    member.latency.update(0.1, 5.0)
    start(member, 3)
    assert cost(member, 5.0) == pytest.approx(0.1 * 4 / 2)


def test_an_unknown_member_gets_one_call() -> None:
    """It is tried at once, and not again before it answered: no herd, no neglect."""
    picker, (known, new) = LeastResponseTime(Random(1)), named(2)
    known.latency.update(0.001, 0.0)
    update(picker, [known, new])
    assert cost(new, 0.0) == 0.0
    assert shares(picker, 20)["m1"] >= 15  # a draw may give one member twice
    start(new)
    assert cost(new, 0.0) == UNKNOWN
    assert shares(picker, 20)["m0"] >= 15


def test_the_quicker_one_gets_the_call_until_it_is_busy() -> None:
    """Ten times the latency weighs as much as ten calls in flight."""
    picker, (quick, slow) = LeastResponseTime(Random(1)), named(2)
    quick.latency.update(0.01, 0.0)
    slow.latency.update(0.1, 0.0)
    update(picker, [quick, slow])
    start(quick, 8)
    assert shares(picker, 40)["m0"] >= 30
    start(quick, 3)
    assert shares(picker, 40)["m1"] >= 30


def test_a_slow_member_is_forgiven_in_time() -> None:
    """Untried it becomes cheap again, so that a recovery is noticed."""
    slow, quick = named(2)
    slow.latency.update(1.0, 0.0)
    quick.latency.update(0.01, 0.0)
    assert cost(slow, 0.0) > cost(quick, 0.0)
    quick.latency.update(0.01, 60.0)
    assert cost(slow, 60.0) < cost(quick, 60.0)


def test_unknown_members_share_by_weight() -> None:
    """Before anything is known, calls go by weight."""
    picker = LeastResponseTime(Random(1))
    update(picker, members(a=3, b=1, c=1, d=1))
    assert shares(picker, 6_000)["a"] / 6_000 == pytest.approx(0.6, abs=0.15)


def test_one_member_is_enough() -> None:
    """A set of one works."""
    picker, servers = LeastResponseTime(Random(1)), named(1)
    update(picker, servers)
    assert picker.pick(0.0, None, ()) is servers[0]


def test_the_avoided_are_skipped_unless_nobody_is_left() -> None:
    """A retry goes to the cheapest of the rest."""
    picker, servers = LeastResponseTime(Random(1)), named(3)
    for member, latency in zip(servers, (0.01, 0.5, 0.2), strict=True):
        member.latency.update(latency, 0.0)
    update(picker, servers)
    assert picker.pick(0.0, None, servers[:1]) is servers[2]
    assert picker.pick(0.0, None, servers) is servers[0]
