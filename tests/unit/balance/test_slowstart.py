"""A share grows from its minimum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance import SlowStart


def test_a_straight_line_from_a_tenth() -> None:
    """Envoy's defaults: a tenth at first, then as the time goes."""
    rules = SlowStart(window=60.0)
    factors = [rules.factor(elapsed) for elapsed in (0, 3, 6, 15, 30, 60, 600)]
    assert factors == pytest.approx([0.1, 0.1, 0.1, 0.25, 0.5, 1.0, 1.0])


def test_aggression_bends_it() -> None:
    """Above 1 it is quicker at first, below slower."""
    assert SlowStart(window=100.0, aggression=2.0).factor(25.0) == pytest.approx(0.5)
    assert SlowStart(window=100.0, aggression=0.5).factor(50.0) == pytest.approx(0.25)


@given(
    window=st.floats(0.1, 1e4),
    aggression=st.floats(0.1, 10),
    minimum=st.floats(0.01, 1),
    times=st.lists(st.floats(-10, 2e4), min_size=2, max_size=20),
)
def test_it_never_shrinks_nor_leaves_its_range(
    window: float, aggression: float, minimum: float, times: list[float]
) -> None:
    """Whatever the clock says, the share is between the minimum and 1 and grows with time."""
    rules = SlowStart(window=window, aggression=aggression, minimum=minimum)
    factors = [rules.factor(elapsed) for elapsed in sorted(times)]
    assert factors == sorted(factors)
    assert minimum <= factors[0] <= factors[-1] <= 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("window", 0.0), ("window", float("inf")), ("aggression", 0.0), ("minimum", 0.0)],
)
def test_values_without_meaning_are_refused(field: str, value: float) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=field):
        SlowStart(**{field: value})
