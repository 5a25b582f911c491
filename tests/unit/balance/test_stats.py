"""Figures say the strongest reason."""

from loadpath.balance import HealthRules, Member
from loadpath.balance.stats import state_of, stats_of
from tests.unit.balance.members import endpoint


def test_the_strongest_reason_is_told() -> None:
    """The operator's word before the checks', the checks' before the traffic's."""
    member = Member(endpoint("a"), health=HealthRules(fall=1))
    assert state_of(member) == "up"
    member.track.ejected = True
    assert state_of(member) == "ejected"
    member.health.on_check("HTTP 500", 5.0)
    assert state_of(member) == "down"
    member.drained = True
    assert state_of(member) == "drained"


def test_a_clock_that_steps_back_makes_no_negative_age() -> None:
    """A check of the future was just now."""
    member = Member(endpoint("a"))
    member.health.on_check("", 50.0)
    assert stats_of(member, 40.0).last_health_check == 0.0
    assert stats_of(member, 52.0).last_health_check == 2.0
