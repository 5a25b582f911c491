"""Checks decide by several in a row, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import HealthRules
from loadpath.balance.health import Health


@given(
    fall=st.integers(1, 5),
    rise=st.integers(1, 5),
    checks=st.lists(st.booleans(), max_size=60),
)
def test_it_turns_after_exactly_so_many_in_a_row(fall: int, rise: int, checks: list[bool]) -> None:
    """Down after `fall` failures in a row, up after `rise` answers in a row, never otherwise."""
    health = Health(HealthRules(fall=fall, rise=rise))
    up, history = True, list[bool]()
    for now, good in enumerate(checks):
        history.append(good)
        streak = history[-fall:] if up else history[-rise:]
        turns = len(streak) == (fall if up else rise) and all(each is not up for each in streak)
        changed = health.on_check("" if good else "HTTP 500", float(now))
        assert changed is turns
        if turns:
            up, history = not up, []
        assert health.up is up
        assert health.checked == now
        assert health.reason == ("" if good else "HTTP 500")


def test_the_guides_defaults() -> None:
    """Three failures, and two recoveries, which the guide names and never counts."""
    health = Health(HealthRules())
    assert [health.on_check("refused", 0.0) for _ in range(3)] == [False, False, True]
    assert health.failures == 3
    assert [health.on_check("", 0.0) for _ in range(2)] == [False, True]
    assert health.failures == 0


def test_a_reset_forgets() -> None:
    """After a reset it is up and knows nothing."""
    health = Health(HealthRules(fall=1))
    health.on_check("refused", 5.0)
    health.reset()
    assert (health.up, health.failures, health.checked, health.reason) == (True, 0, None, "")


@pytest.mark.parametrize("given", [{"fall": 0}, {"rise": 0}])
def test_rules_without_meaning_are_refused(given: dict[str, int]) -> None:
    """A check at least decides."""
    with pytest.raises(ValueError, match="fall and rise"):
        HealthRules(**given)
