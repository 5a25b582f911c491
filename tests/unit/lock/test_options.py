"""The guide's options, with units."""

from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.lock import LockOptions


def test_the_guides_numbers_are_the_defaults() -> None:
    """30 s, 0.1 s, 10 retries, doubling, a quarter of jitter, at most a second."""
    options = LockOptions(jitter=0.0)
    assert options.ttl == 30.0
    delays = list(islice(options.delays(Random(1)), 10))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert options.longest_wait == pytest.approx(sum(delays))
    assert LockOptions().jitter == 0.25


@given(seed=st.integers(), attempt=st.integers(0, 30))
def test_jitter_is_a_quarter_up_and_down_below_the_cap(seed: int, attempt: int) -> None:
    """As the guide says, and never above a second."""
    step = min(1.0, 0.1 * 2**attempt)
    delay = next(islice(LockOptions().delays(Random(seed)), attempt, None))
    assert 0.75 * step <= delay <= min(1.0, 1.25 * step)


def test_a_deadline_takes_the_place_of_retries() -> None:
    """Zero tries once."""
    assert LockOptions(wait=3.0).longest_wait == 3.0
    assert LockOptions(wait=0.0).longest_wait == 0.0
    assert LockOptions(retries=0).longest_wait == 0.0
    assert LockOptions(wait=float("inf")).longest_wait == float("inf")


@given(ttl=st.floats(0.05, 1e6))
def test_a_place_in_the_queue_outlasts_the_questions(ttl: float) -> None:
    """Whoever asks as it should never loses its place, even if two questions fail."""
    options = LockOptions(ttl=ttl)
    assert options.patience >= 3 * options.ask_every - 1e-9
    assert options.patience >= 3 * options.retry_cap


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl": 0.0},
        {"ttl": float("inf")},
        {"ttl": float("nan")},
        {"wait": -1.0},
        {"wait": float("nan")},
        {"retries": -1},
        {"retry_delay": 0.0},
        {"retry_cap": 0.01},
        {"jitter": 1.0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """The field is named when it is given."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LockOptions(**wrong)
