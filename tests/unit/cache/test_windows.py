"""Hit ratios of what happened lately."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.windows import STEP, HitRatios, HitWindows


def test_each_window_sees_its_own_time() -> None:
    """A bad last minute shows in the minute, and is watered down in the hour."""
    windows = HitWindows(0.0)
    hits = misses = 0
    for second in range(0, 3_600, 5):
        hits += 9
        misses += 1
        windows.mark(float(second), hits, misses)
    windows.mark(3_600.0, hits, misses)
    found = windows.ratios(3_660.0, hits, misses + 100)
    assert found.minute == 0.0
    assert found.five_minutes is not None
    assert 0.7 < found.five_minutes < 0.9
    assert found.hour is not None
    assert 0.88 < found.hour < 0.9


def test_without_reads_there_is_no_ratio() -> None:
    """Nothing asked is neither good nor bad."""
    windows = HitWindows(0.0)
    assert windows.ratios(1.0, 0, 0) == HitRatios(minute=None, five_minutes=None, hour=None)
    windows.mark(10.0, 5, 5)
    assert windows.ratios(100.0, 5, 5).minute is None
    assert windows.ratios(100.0, 5, 5).hour == 0.5


@given(steps=st.lists(st.tuples(st.floats(0, 600), st.integers(0, 9), st.integers(0, 9))))
def test_memory_is_bounded_and_a_window_is_never_too_short(
    steps: list[tuple[float, int, int]],
) -> None:
    """However often it is marked, an hour of marks is kept; the hour is all when it all began."""
    windows = HitWindows(0.0)
    now, hits, misses = 0.0, 0, 0
    for gap, hit, miss in steps:
        now, hits, misses = now + gap, hits + hit, misses + miss
        windows.mark(now, hits, misses)
    assert len(windows._marks) <= 3_600 / STEP + 2
    if now < 3_600:
        whole = hits / (hits + misses) if hits + misses else None
        assert windows.ratios(now, hits, misses).hour == whole
