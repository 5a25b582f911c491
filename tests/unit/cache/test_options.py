"""Options are checked when given, and ttls follow from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache import EntryOptions


def test_the_guides_defaults() -> None:
    """Five minutes in memory, an hour in the shared layer, apart from each other."""
    assert EntryOptions().ttls("v", 0.5) == (300.0, 3600.0)


@given(
    l1=st.floats(0.1, 1e6), l2=st.floats(0.1, 1e6), jitter=st.floats(0, 0.9), chance=st.floats(0, 1)
)
def test_memory_never_outlives_the_shared_layer(
    l1: float, l2: float, jitter: float, chance: float
) -> None:
    """And jitter only shortens, by its share at most."""
    options = EntryOptions(l1_ttl=l1, l2_ttl=l2, jitter=jitter)
    short, long = options.ttls(1, chance)
    assert 0 < short <= long <= l2
    assert long >= l2 * (1 - jitter) * 0.999


def test_none_may_have_a_ttl_of_its_own() -> None:
    """Shorter, or not stored at all; 0 and empty text are values like any other."""
    options = EntryOptions(negative_ttl=5.0)
    assert options.ttls(None, 0.0) == (5.0, 5.0)
    assert options.ttls(0, 0.0) == options.ttls("", 0.0) == (300.0, 3600.0)
    assert EntryOptions(negative_ttl=0.0).ttls(None, 0.0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("l1_ttl", 0), ("l2_ttl", -1), ("l2_ttl", float("inf")), ("l1_ttl", float("nan")),
        ("lease", 0), ("jitter", 1.1), ("jitter", -0.1), ("eager", 1.0), ("eager", 0.0),
        ("negative_ttl", -1), ("stale_for", -1), ("fail_safe_for", float("inf")),
        ("factory_soft_timeout", -1), ("factory_hard_timeout", float("nan")), ("size", -1),
        ("tags", "user"), ("tags", ["a"]), ("tags", ("",)), ("tags", (1,)),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    """The message names the field."""
    with pytest.raises(ValueError, match=field):
        EntryOptions(**{field: value})  # type: ignore[arg-type] # wrong on purpose
