"""A member is available when checks, traffic and the operator agree."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import Member
from tests.unit.balance.members import endpoint


def test_one_objection_is_enough() -> None:
    """Of the eight combinations one lets it serve."""
    for up, ejected, drained in product([True, False], repeat=3):
        member = Member(endpoint("a"))
        member.health.up, member.track.ejected, member.drained = up, ejected, drained
        assert member.available is (up and not ejected and not drained)


@given(weight=st.integers(1, 256))
def test_a_new_set_changes_what_it_says_and_nothing_else(weight: int) -> None:
    """Weight and endpoint are the new ones, calls in flight and latency stay."""
    member = Member(endpoint("a", 7), decay=5.0)
    member.active = 3
    member.latency.update(0.5, 1.0)
    member.become(endpoint("a", weight, zone="z"))
    assert (member.weight, member.endpoint.zone) == (weight, "z")
    assert (member.active, member.latency.value(1.0)) == (3, 0.5)
    assert repr(member) == "Member(a:80, active=3, ready=True)"
