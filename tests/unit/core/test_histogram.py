"""Percentiles are within the promised error, and merging loses nothing."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.histogram import HIGHEST, LOWEST, Histogram

in_range = st.floats(LOWEST, HIGHEST)
latencies = st.lists(in_range, min_size=1, max_size=200)
errors = st.floats(0.001, 0.5)
ratios = st.floats(0, 1)


def filled(values: list[float], relative_error: float = 0.01) -> Histogram:
    """Return a histogram of `values`."""
    histogram = Histogram(relative_error)
    for value in values:
        histogram.record(value)
    return histogram


@given(values=latencies, error=errors, ratio=ratios)
def test_percentiles_are_within_the_relative_error(
    values: list[float], error: float, ratio: float
) -> None:
    """Every percentile is within the error of the value of that rank in sorted order."""
    rank = max(1, math.ceil(round(ratio, 9) * len(values) - 1e-9))
    exact = sorted(values)[rank - 1]
    assert abs(filled(values, error).percentile(ratio) - exact) <= error * exact


@given(values=latencies, error=errors)
def test_the_mean_is_within_the_relative_error(values: list[float], error: float) -> None:
    """The mean of the buckets is within the error of the mean of the values."""
    exact = math.fsum(values) / len(values)
    assert abs(filled(values, error).mean - exact) <= error * exact * (1 + 1e-9)


@given(parts=st.lists(latencies, min_size=1, max_size=5), ratio=ratios)
def test_merging_parts_equals_recording_all(parts: list[list[float]], ratio: float) -> None:
    """Histograms of processes add up to the histogram of all values: equal, not nearly."""
    whole = filled([value for part in parts for value in part])
    merged = Histogram()
    for part in parts:
        merged.merge(filled(part))
    assert merged == whole
    assert merged.percentile(ratio) == whole.percentile(ratio)


@given(values=latencies, error=errors)
def test_bytes_carry_the_histogram(values: list[float], error: float) -> None:
    """What another process reads equals what was written."""
    histogram = filled(values, error)
    assert Histogram.from_bytes(histogram.to_bytes()) == histogram


@given(value=in_range, ratio=ratios)
def test_a_count_weighs_as_many_records(value: float, ratio: float) -> None:
    """Recording a value five times at once is recording it five times."""
    at_once = Histogram()
    at_once.record(value, 5)
    assert at_once == filled([value] * 5)
    assert at_once.count == 5
    assert at_once.percentile(ratio) == pytest.approx(value, rel=0.01)


def test_values_outside_the_range_count_at_its_ends() -> None:
    """Nothing is dropped: zero counts as the lowest value, infinity as the highest."""
    histogram = filled([0.0, LOWEST / 10, HIGHEST * 10, math.inf])
    assert histogram.count == 4
    assert histogram.percentile(0.5) == pytest.approx(LOWEST, rel=0.01)
    assert histogram.percentile(1.0) == pytest.approx(HIGHEST, rel=0.03)


def test_ranks_are_exact_where_floats_are_not() -> None:
    """The 7th percentile of 100 values is the 7th value, though 0.07 * 100 > 7 in floats."""
    histogram = filled([float(n) for n in range(1, 101)])
    assert histogram.percentile(0.07) == pytest.approx(7.0, rel=0.01)
    assert histogram.percentiles(0, 0.5, 1) == pytest.approx([1, 50, 100], rel=0.01)


def test_an_empty_histogram_holds_no_limit() -> None:
    """Without values a percentile is nan, which is below no limit, and null in JSON."""
    snapshot = Histogram().snapshot()
    assert snapshot.count == 0
    assert not snapshot.p99 < 0.1
    assert math.isnan(snapshot.mean)
    assert b'"p99":null' in msgspec.json.encode(snapshot)


def test_a_snapshot_holds_the_usual_figures() -> None:
    """Count, mean and the percentiles that every report shows."""
    snapshot = filled([n / 1_000 for n in range(1, 1_001)]).snapshot()
    assert snapshot.count == 1_000
    figures = [snapshot.mean, snapshot.p50, snapshot.p90, snapshot.p99, snapshot.p999, snapshot.max]
    assert figures == pytest.approx([0.5005, 0.5, 0.9, 0.99, 0.999, 1.0], rel=0.01)


def test_a_snapshot_does_not_follow_later_records() -> None:
    """A snapshot is of one moment, and merging leaves the other side as it was."""
    histogram, other = filled([1.0]), filled([2.0])
    snapshot = histogram.snapshot()
    histogram.merge(other)
    assert (snapshot.count, histogram.count, other.count) == (1, 2, 1)


def test_memory_is_fixed() -> None:
    """A histogram of the default error has 1,382 buckets, however many values it counts."""
    buckets = 1 + int(math.log(HIGHEST / LOWEST) / math.log(1.01 / 0.99))
    assert len(filled([n / 7 for n in range(5_000)])._counts) == buckets == 1_382


@pytest.mark.parametrize("seconds", [-1e-9, math.nan, -math.inf])
def test_what_is_no_duration_is_refused(seconds: float) -> None:
    """A negative duration is a bug of the caller, not a fast request."""
    with pytest.raises(ValueError, match="seconds >= 0"):
        Histogram().record(seconds)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_what_is_no_count_is_refused(seconds: float) -> None:
    """A record cannot take values away."""
    with pytest.raises(ValueError, match="count >= 1"):
        Histogram().record(seconds, 0)


@pytest.mark.parametrize("ratio", [-0.1, 99, math.nan])
def test_a_percentile_is_a_ratio(ratio: float) -> None:
    """Asking for 99 in place of 0.99 is an error, not the maximum."""
    with pytest.raises(ValueError, match=r"ratio must be 0-1"):
        Histogram().percentile(ratio)


@pytest.mark.parametrize("error", [0.0, 0.6, math.nan])
def test_an_error_without_meaning_is_refused(error: float) -> None:
    """The relative error decides the memory, so it has bounds."""
    with pytest.raises(ValueError, match="relative_error"):
        Histogram(error)


def test_different_errors_do_not_merge() -> None:
    """Buckets of different width cannot be added exactly, so they are not added."""
    with pytest.raises(ValueError, match="make both with the same"):
        Histogram(0.01).merge(Histogram(0.02))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"[0.01, {}]",
        msgspec.msgpack.encode((0.01, {5_000: 1})),
        msgspec.msgpack.encode((0.01, {-1: 1})),
        msgspec.msgpack.encode((0.01, {3: 0})),
        msgspec.msgpack.encode((7.0, {})),
        msgspec.msgpack.encode((0.01, {"a": 1})),
    ],
)
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    """Anything but what `to_bytes` wrote is a ValueError."""
    with pytest.raises(ValueError, match=r"not a histogram|relative_error"):
        Histogram.from_bytes(data)


def test_a_histogram_is_no_key() -> None:
    """It changes, so it cannot be hashed; and it equals nothing of another type."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Histogram())
    assert Histogram() != 1
    assert Histogram(0.01).relative_error == 0.01
