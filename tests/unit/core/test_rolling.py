"""Windows hold what they say, and forget the rest."""

from collections import Counter, deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadpath.core.rolling import CountWindow, TimeWindow

outcomes = st.integers(0, 3)


@given(size=st.integers(1, 20), records=st.lists(outcomes, max_size=100))
def test_a_count_window_holds_the_last_records(size: int, records: list[int]) -> None:
    """After every record the counts are those of the last `size` records."""
    window, model = CountWindow(size, outcomes=4), deque[int](maxlen=size)
    for outcome in records:
        window.record(outcome)
        model.append(outcome)
        held = Counter(model)
        assert window.counts() == tuple(held[n] for n in range(4))


@given(
    buckets=st.integers(1, 12),
    records=st.lists(st.tuples(st.floats(0, 4), outcomes, st.integers(0, 5)), max_size=60),
)
@example(buckets=7, records=[(0.0, 0, 1), (0.0, 0, 0), (0.0, 0, 0), (0.0, 0, 0)])
def test_a_time_window_spans_its_seconds(
    buckets: int, records: list[tuple[float, int, int]]
) -> None:
    """It holds all records of the last `seconds` less one bucket, none older than `seconds`."""
    window, now = TimeWindow(10.0, buckets=buckets, outcomes=4), 100.0
    model: list[tuple[float, int, int]] = []
    slack = 1e-9
    for gap, outcome, count in records:
        now += gap
        window.record(outcome, now, count=count)
        model.append((now, outcome, count))
        for each, held in enumerate(window.counts(now)):
            ages = [(now - when, n) for when, kind, n in model if kind == each]
            surely = sum(n for age, n in ages if age < 10.0 - 10.0 / buckets - slack)
            at_most = sum(n for age, n in ages if age <= 10.0 + slack)
            assert surely <= held <= at_most


@given(
    records=st.lists(st.tuples(st.floats(-1e9, 1e9), outcomes), max_size=60),
    buckets=st.integers(1, 12),
)
def test_no_clock_makes_a_count_wrong(records: list[tuple[float, int]], buckets: int) -> None:
    """However the clock jumps, counts are those of some latest records, never negative."""
    window = TimeWindow(10.0, buckets=buckets, outcomes=4)
    for place, (now, outcome) in enumerate(records):
        window.record(outcome, now)
        counts = window.counts(now)
        assert counts[outcome] >= 1
        assert min(counts) >= 0
        assert sum(counts) <= place + 1


def test_a_jump_forwards_empties_the_window() -> None:
    """After a suspended night nothing of the evening counts."""
    window = TimeWindow(10.0)
    window.record(1, 5.0)
    assert window.counts(40_000.0) == (0, 0)


def test_a_small_step_back_goes_on_counting() -> None:
    """Records after a step back join the newest bucket and leave with it."""
    window = TimeWindow(10.0)
    window.record(0, 105.0)
    window.record(1, 100.0)
    assert window.counts(100.0) == (1, 1)
    assert window.counts(114.9) == (1, 1)
    assert window.counts(115.0) == (0, 0)


def test_a_large_step_back_starts_again() -> None:
    """A clock set back by a day neither freezes the window nor keeps what it held."""
    window = TimeWindow(10.0)
    window.record(0, 100_000.0)
    window.record(1, 13_600.0)
    assert window.counts(13_600.0) == (0, 1)
    assert window.counts(13_610.0) == (0, 0)


def test_records_leave_bucket_by_bucket() -> None:
    """With ten buckets of a second each, one second's records leave together."""
    window = TimeWindow(10.0, outcomes=1)
    for second in range(10):
        window.record(0, second + 0.5)
    assert [window.counts(10.0 + n)[0] for n in range(11)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]


def test_cleared_windows_are_empty() -> None:
    """Both forget everything and go on."""
    counted, timed = CountWindow(3), TimeWindow(10.0)
    for _ in range(5):
        counted.record(1)
        timed.record(1, 3.0)
    counted.clear()
    timed.clear()
    assert counted.counts() == timed.counts(3.0) == (0, 0)
    counted.record(0)
    timed.record(0, 3.0)
    assert counted.counts() == timed.counts(3.0) == (1, 0)


@pytest.mark.parametrize("outcome", [-1, 2])
def test_an_outcome_that_is_not_counted_is_refused(outcome: int) -> None:
    """A wrong outcome is an error and changes nothing."""
    counted, timed = CountWindow(3), TimeWindow(10.0)
    with pytest.raises(ValueError, match="outcome must be 0-1"):
        counted.record(outcome)
    with pytest.raises(ValueError, match="outcome must be 0-1"):
        timed.record(outcome, 1.0)
    assert counted.counts() == timed.counts(1.0) == (0, 0)


def test_windows_without_meaning_are_refused() -> None:
    """Sizes are checked when they are given."""
    with pytest.raises(ValueError, match="size"):
        CountWindow(0)
    with pytest.raises(ValueError, match="outcomes"):
        CountWindow(1, outcomes=257)
    with pytest.raises(ValueError, match="seconds"):
        TimeWindow(0.0)
    with pytest.raises(ValueError, match="seconds"):
        TimeWindow(float("nan"))
    with pytest.raises(ValueError, match="buckets"):
        TimeWindow(1.0, buckets=0)
    with pytest.raises(ValueError, match="count"):
        TimeWindow(1.0).record(0, 0.0, count=-1)
