"""Behaviour of what `loadpath up` decides before anything starts."""

from pathlib import Path

import pytest

from loadpath.systems.timeline.preflight import NoRoomError
from loadpath.systems.timeline.up import MOST_RINGS, UpPlan, rings_for


def test_rings_fill_half_of_the_free_memory_at_most() -> None:
    """A small machine serves its later users from the record."""
    rings = rings_for(1 << 30)
    assert rings == (1 << 29) // 6_664
    assert rings_for(1 << 50) == MOST_RINGS


def test_no_memory_at_all_is_said_so() -> None:
    """Before a ring file is cut short by the kernel."""
    with pytest.raises(NoRoomError, match="free some"):
        rings_for(1_000)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"port": 0}, "port"),
        ({"port": 65_536}, "port"),
        ({"apis": 0}, "apis must be 1 to 64"),
        ({"apis": 65}, "apis must be 1 to 64"),
    ],
)
def test_a_wrong_plan_names_its_field(wrong: dict[str, int], named: str) -> None:
    """Nothing is started."""
    with pytest.raises(ValueError, match=named):
        UpPlan(data=Path("anywhere"), **wrong)
