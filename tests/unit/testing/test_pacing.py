"""Departures keep their order and the link's speed; a seed repeats a schedule."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.testing.pacing import CALM, Conditions, Pacer, Step, random_steps

conditions = st.builds(
    Conditions,
    delay=st.floats(0, 1),
    jitter=st.floats(0, 1),
    bandwidth=st.none() | st.floats(1, 1e6),
)
pieces = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 20_000), conditions), max_size=50)


@given(pieces=pieces, seed=st.integers())
def test_pieces_keep_their_order_and_their_delay(
    pieces: list[tuple[float, int, Conditions]], seed: int
) -> None:
    """Whatever changes meanwhile, no piece overtakes one before it or comes before its delay."""
    pacer, now, last = Pacer(Random(seed)), 0.0, 0.0
    for gap, size, each in pieces:
        now += gap
        due = pacer.departure(now, size, each)
        assert due >= last
        assert due >= now + each.delay
        last = due


@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=50))
def test_bandwidth_bounds_what_has_left(sizes: list[int]) -> None:
    """Pieces that come at once leave no faster than the bandwidth allows."""
    pacer, slow = Pacer(Random(0)), Conditions(bandwidth=1_000)
    departures = [pacer.departure(0.0, size, slow) for size in sizes]
    assert departures[-1] == pytest.approx(sum(sizes) / 1_000)


def test_a_seed_repeats_the_jitter() -> None:
    """The same seed gives the same departures."""
    shaky = Conditions(jitter=1.0)
    one, two = Pacer(Random(7)), Pacer(Random(7))
    assert [one.departure(n, 1, shaky) for n in range(9)] == [
        two.departure(n, 1, shaky) for n in range(9)
    ]


@pytest.mark.parametrize(
    ("cut", "forward", "back"),
    [("none", True, True), ("forward", False, True), ("back", True, False), ("both", False, False)],
)
def test_a_cut_has_a_direction(cut: Any, *, forward: bool, back: bool) -> None:
    """One way may pass while the other does not."""
    each = Conditions(cut=cut)
    assert (each.passes("forward"), each.passes("back")) == (forward, back)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cut": "sideways"},
        {"delay": -1},
        {"jitter": float("nan")},
        {"slow_close": float("inf")},
        {"bandwidth": 0},
    ],
)
def test_wrong_conditions_are_named(wrong: dict[str, Any]) -> None:
    """A value that no link can have is refused by its name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Conditions(**wrong)


def test_a_step_in_the_past_is_refused() -> None:
    """A schedule begins at 0."""
    with pytest.raises(ValueError, match="at must be"):
        Step(at=-1.0)


@given(seed=st.integers(), length=st.floats(0, 100))
def test_a_drawn_schedule_repeats_and_ends_calm(seed: int, length: float) -> None:
    """Calm and faults take turns within the length, the same for the same seed."""
    faults = [Conditions(cut="both"), Conditions(delay=0.1)]
    steps = random_steps(Random(seed), faults, length=length)
    assert steps == random_steps(Random(seed), faults, length=length)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert all(step.at <= length for step in steps)
    assert all(step.conditions in faults for step in steps[::2])
    assert all(step.conditions == CALM for step in steps[1::2])
    assert len(steps) % 2 == 0


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"faults": []}, "faults"), ({"calm": (2, 1)}, "calm"), ({"fault": (0, 1)}, "fault")],
)
def test_a_schedule_of_nothing_is_refused(wrong: dict[str, Any], name: str) -> None:
    """What cannot be drawn is named."""
    settings: dict[str, Any] = {"faults": [CALM], "length": 9.0, **wrong}
    with pytest.raises(ValueError, match=name):
        random_steps(Random(0), settings.pop("faults"), **settings)
