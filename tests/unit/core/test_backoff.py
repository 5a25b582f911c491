"""Delays grow, stay below the cap, and spread."""

from itertools import islice, pairwise
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.backoff import Backoff, Jitter

jitters = st.sampled_from(get_args(Jitter))


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    """Draw any valid backoff."""
    base = draw(st.floats(1e-6, 100))
    return Backoff(
        base=base,
        cap=base * draw(st.floats(1, 1e6)),
        factor=draw(st.floats(1, 100)),
        jitter=draw(jitters),
    )


@given(backoff=backoffs(), attempt=st.integers(1, 10_000), seed=st.integers())
def test_no_delay_is_negative_or_above_the_cap(backoff: Backoff, attempt: int, seed: int) -> None:
    """Whatever the attempt, the jitter and the chance, a delay is 0 to `cap`."""
    assert 0 <= backoff.delay(attempt, Random(seed), previous=backoff.cap) <= backoff.cap


@given(backoff=backoffs())
def test_steps_never_shrink(backoff: Backoff) -> None:
    """Each step is at least the one before it, from `base` on."""
    steps = [backoff.step(attempt) for attempt in range(1, 100)]
    assert steps[0] == backoff.base
    assert all(a <= b for a, b in pairwise(steps))


@pytest.mark.parametrize("jitter", get_args(Jitter))
def test_the_ten_thousandth_attempt_does_not_overflow(jitter: Jitter) -> None:
    """A client that has retried for a week still gets a delay."""
    backoff = Backoff(cap=30.0, jitter=jitter)
    assert backoff.step(10_000) == 30.0
    assert 0 <= backoff.delay(10_000, Random(1)) <= 30.0
    assert 0 <= next(islice(backoff.delays(Random(1)), 10_000, None)) <= 30.0


def test_without_jitter_delays_double_up_to_the_cap() -> None:
    """The plain exponential series, capped."""
    backoff = Backoff(base=0.1, cap=1.0, jitter="none")
    assert list(islice(backoff.delays(Random(1)), 6)) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@given(seed=st.integers(), attempt=st.integers(1, 50))
def test_equal_jitter_waits_at_least_half_the_step(seed: int, attempt: int) -> None:
    """The half that is certain keeps a caller from coming back at once."""
    backoff = Backoff(jitter="equal")
    step = backoff.step(attempt)
    assert step / 2 <= backoff.delay(attempt, Random(seed)) <= step


@given(seed=st.integers())
def test_decorrelated_jitter_stays_within_three_times_the_last(seed: int) -> None:
    """Each delay is drawn from `base` to three times the one before it, below the cap."""
    backoff = Backoff(base=0.1, cap=10.0, jitter="decorrelated")
    delays = [0.1, *islice(backoff.delays(Random(seed)), 50)]
    assert all(0.1 <= b <= min(10.0, 3 * a) for a, b in pairwise(delays))


def test_decorrelated_jitter_grows() -> None:
    """Delays follow the one before, so that they leave the first step behind."""
    delays = Backoff(base=0.1, cap=10.0, jitter="decorrelated").delays(Random(1))
    assert max(islice(delays, 50)) > 5.0


def test_full_jitter_spreads_evenly() -> None:
    """A thousand callers that failed together come back over the whole step, not in a herd."""
    random = Random(7)
    delays = sorted(Backoff(base=1.0, cap=8.0).delay(4, random) for _ in range(1_000))
    tenths = [sum(0.8 * n <= delay < 0.8 * (n + 1) for delay in delays) for n in range(10)]
    assert min(tenths) > 60
    assert max(tenths) < 140


def test_a_seed_repeats_its_delays() -> None:
    """The random source is handed in, so a simulation can be run again."""
    first, second = (list(islice(Backoff().delays(Random(3)), 20)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"base": 0.0}, "base"),
        ({"base": float("nan")}, "base"),
        ({"base": 2.0, "cap": 1.0}, "cap"),
        ({"cap": float("inf")}, "cap"),
        ({"factor": 0.5}, "factor"),
        ({"factor": float("inf")}, "factor"),
        ({"jitter": "some"}, "jitter"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], field: str) -> None:
    """A wrong setting is named when it is given, not at the first failure."""
    with pytest.raises(ValueError, match=field):
        Backoff(**settings)  # type: ignore[arg-type] # wrong on purpose


def test_attempts_count_from_one() -> None:
    """Before the first try there is nothing to wait for."""
    with pytest.raises(ValueError, match="attempt"):
        Backoff().delay(0, Random(1))
