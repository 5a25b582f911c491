"""What calls teach."""

import math

import pytest

from loadpath.balance import LatencyRules, Member, OutlierDetector, OutlierRules
from loadpath.balance.ledger import Ledger
from tests.unit.balance.members import FakeClock, endpoint


def test_latency_is_measured_or_told() -> None:
    """Since the pick, or what the caller says."""
    clock, member = FakeClock(), Member(endpoint("a"))
    ledger = Ledger(clock, None, failure_penalty=5.0)
    clock.advance(0.25)
    ledger.succeeded(member, None, 0.0)
    assert member.latency.value(0.25) == 0.25
    ledger.succeeded(member, 0.75, 0.0)
    assert member.latency.value(0.25) == 0.75
    assert (member.successes, member.failures) == (2, 0)


def test_a_failure_counts_as_slow_however_quick_it_was() -> None:
    """At least the penalty; a slower failure counts as what it took."""
    clock, member = FakeClock(), Member(endpoint("a"))
    ledger = Ledger(clock, None, failure_penalty=5.0)
    ledger.failed(member, "error", 0.001, 0.0)
    assert member.latency.value(0.0) == 5.0
    ledger.failed(member, "local", 9.0, 0.0)
    assert member.latency.value(0.0) == 9.0
    assert (member.successes, member.failures) == (0, 2)


def test_an_ejection_makes_the_balancer_look() -> None:
    """The next pick shares the traffic anew."""
    clock, members = FakeClock(), [Member(endpoint(name)) for name in "abc"]
    detector = OutlierDetector(OutlierRules(), 0.0)
    detector.watch([member.track for member in members])
    ledger = Ledger(clock, detector, failure_penalty=5.0)
    ledger.due = math.inf
    for _ in range(4):
        ledger.failed(members[0], "error", None, 0.0)
        assert ledger.due == math.inf
    ledger.failed(members[0], "error", None, 0.0)
    assert ledger.due == -math.inf
    ledger.succeeded(members[1], None, 0.0)
    assert members[1].track.successes == 1


@pytest.mark.parametrize("latency", [-1.0, math.nan, math.inf])
def test_a_latency_without_meaning_is_refused(latency: float) -> None:
    """The error names it, and nothing is counted."""
    member = Member(endpoint("a"))
    ledger = Ledger(FakeClock(), None, failure_penalty=5.0)
    with pytest.raises(ValueError, match="latency"):
        ledger.succeeded(member, latency, 0.0)
    with pytest.raises(ValueError, match="latency"):
        ledger.failed(member, "local", latency, 0.0)
    with pytest.raises(ValueError, match="failure must be one of"):
        ledger.failed(member, "lost", 1.0, 0.0)  # type: ignore[arg-type] # wrong on purpose
    assert (member.successes, member.failures) == (0, 0)


@pytest.mark.parametrize(("field", "value"), [("decay", 0.0), ("failure_penalty", -1.0)])
def test_rules_without_meaning_are_refused(field: str, value: float) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=field):
        LatencyRules(**{field: value})
