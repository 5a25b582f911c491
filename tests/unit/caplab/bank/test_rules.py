"""A transfer checks itself once, and the quorums cross."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.caplab.bank.rules import (
    MOST,
    Transfer,
    acknowledgements,
    fenced_before_promotion,
)

GOOD: dict[str, Any] = {"key": "k", "source": "a", "target": "b", "amount": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", ""),
        ("key", "two words"),
        ("key", "x" * 256),
        ("source", ""),
        ("target", "a b"),
        ("target", "a"),
        ("amount", 0),
        ("amount", -5),
        ("amount", 1.5),
        ("amount", True),
        ("amount", "1"),
        ("amount", MOST + 1),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    """What the guide does not check is refused before anything is asked."""
    with pytest.raises(ValueError, match=f"^{field} must be"):
        Transfer(**{**GOOD, field: value})


@given(amount=st.integers(1, MOST))
def test_whole_minor_units_pass(amount: int) -> None:
    """Every whole amount in range is one."""
    assert Transfer(**{**GOOD, "amount": amount}).amount == amount


@given(nodes=st.integers(2, 15))
def test_an_old_primary_cannot_be_acknowledged_by_who_is_not_fenced(nodes: int) -> None:
    """Standbys that are not fenced are fewer than a commit needs, and no fence is larger."""
    standbys = nodes - 1
    fenced = fenced_before_promotion(nodes)
    assert standbys - fenced < acknowledgements(nodes)
    assert standbys - (fenced - 1) >= acknowledgements(nodes)
