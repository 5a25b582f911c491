"""Limits that would hang or refuse everything are refused."""

from typing import Any

import pytest

from loadpath.resp import Limits


@pytest.mark.parametrize(
    "wrong",
    [
        {"connect_timeout": 0},
        {"read_timeout": -1},
        {"read_timeout": float("nan")},
        {"keepalive": float("inf")},
        {"max_in_flight": 0},
        {"max_waiting": -1},
    ],
)
def test_a_limit_that_makes_no_sense_is_named(wrong: dict[str, Any]) -> None:
    """When it is given, not at the first stall."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


def test_nothing_needs_to_wait() -> None:
    """`max_waiting=0` refuses at once what finds no place."""
    assert Limits(max_waiting=0).max_waiting == 0
