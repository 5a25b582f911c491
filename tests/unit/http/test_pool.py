"""Bounds of a pool are checked when they are given."""

import pytest

from loadpath.http import ConnectionPool, PoolLimits, PoolSnapshot


@pytest.mark.parametrize(
    "wrong", [{"connections": 0}, {"idle": -1}, {"waiting": -1}, {"idle_timeout": 0.0}]
)
def test_bounds_without_meaning_are_refused(wrong: dict[str, int]) -> None:
    """The message shows what was given."""
    with pytest.raises(ValueError, match="must be"):
        PoolLimits(**wrong)


def test_a_pool_needs_no_loop_before_its_first_request() -> None:
    """It is made where settings are read, and has nothing then."""
    assert ConnectionPool().snapshot() == PoolSnapshot(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
