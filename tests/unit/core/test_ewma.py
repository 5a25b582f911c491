"""Averages follow what is new and forget what is old, by age."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.core.ewma import Ewma, PeakEwma

gaps = st.floats(-1, 50)
samples = st.floats(0, 1e6)
series = st.lists(st.tuples(gaps, samples), min_size=1, max_size=50)


@given(series=series)
def test_an_average_lies_between_its_samples(series: list[tuple[float, float]]) -> None:
    """Whatever the gaps, even of a clock that steps back, the average is of the samples."""
    ewma, now = Ewma(10.0), 0.0
    for gap, sample in series:
        now += gap
        ewma.update(sample, now)
    values = [sample for _, sample in series]
    assert min(values) * (1 - 1e-9) <= ewma.value <= max(values) * (1 + 1e-9)


@given(series=st.lists(st.tuples(st.floats(0, 20), samples), min_size=1, max_size=30))
def test_each_sample_weighs_by_its_age(series: list[tuple[float, float]]) -> None:
    """The average equals the sum over all samples weighted by e ** (-age / decay)."""
    ewma = Ewma(10.0)
    times = list(accumulate(gap for gap, _ in series))
    for now, (_, sample) in zip(times, series, strict=True):
        ewma.update(sample, now)
    weights = [math.exp((now - times[-1]) / 10.0) for now in times]
    expected = math.fsum(w * s for w, (_, s) in zip(weights, series, strict=True))
    assert ewma.value == pytest.approx(expected / math.fsum(weights), abs=1e-9)


def test_samples_of_one_moment_all_count() -> None:
    """A burst within one clock tick is averaged, not lost."""
    ewma = Ewma(10.0)
    for sample in (1.0, 2.0, 3.0):
        ewma.update(sample, 5.0)
    assert ewma.value == 2.0


def test_the_first_sample_is_the_average() -> None:
    """There is no start from zero that the average would have to climb out of."""
    ewma = Ewma(10.0)
    assert math.isnan(ewma.value)
    ewma.update(7.0, 1e9)
    assert ewma.value == 7.0


def test_old_samples_are_forgotten() -> None:
    """After ten times the decay an old sample hardly counts."""
    ewma = Ewma(1.0)
    ewma.update(1_000.0, 0.0)
    ewma.update(1.0, 10.0)
    assert ewma.value == pytest.approx(1.0, abs=0.05)


@given(series=series)
def test_a_peak_is_never_underestimated(series: list[tuple[float, float]]) -> None:
    """After each sample the cost is at least that sample and at most the highest ever."""
    peak, now, highest = PeakEwma(10.0), 0.0, 0.0
    for gap, sample in series:
        now += gap
        peak.update(sample, now)
        highest = max(highest, sample)
        assert sample * (1 - 1e-9) <= peak.value(now) <= highest * (1 + 1e-9)


def test_a_peak_shows_at_once_and_decays_slowly() -> None:
    """One slow answer counts in full; after one decay of quick ones 1/e of it is left."""
    peak = PeakEwma(10.0)
    peak.update(0.01, 0.0)
    peak.update(5.0, 1.0)
    assert peak.value(1.0) == 5.0
    for tenth in range(1, 101):
        peak.update(0.0, 1.0 + tenth / 10)
    assert peak.value(11.0) == pytest.approx(5.0 / math.e)


def test_an_idle_source_is_forgiven() -> None:
    """The cost decays while no sample comes, and looking changes nothing."""
    peak = PeakEwma(10.0)
    assert peak.value(3.0) == 0.0
    peak.update(5.0, 0.0)
    looks = [peak.value(10.0), peak.value(10.0), peak.value(0.0)]
    assert looks == pytest.approx([5.0 / math.e, 5.0 / math.e, 5.0])


def test_a_clock_that_steps_back_stands_still() -> None:
    """A step back neither revives old samples nor loses new ones."""
    ewma, peak = Ewma(10.0), PeakEwma(10.0)
    for average in (ewma, peak):
        average.update(4.0, 100.0)
        average.update(8.0, 50.0)
    assert ewma.value == 6.0
    assert peak.value(50.0) == peak.value(100.0) == 8.0


@pytest.mark.parametrize("sample", [math.nan, math.inf, -math.inf])
def test_a_sample_that_would_stay_for_ever_is_refused(sample: float) -> None:
    """One nan would make every later average nan."""
    with pytest.raises(ValueError, match="sample"):
        Ewma(1.0).update(sample, 0.0)
    with pytest.raises(ValueError, match="sample"):
        PeakEwma(1.0).update(sample, 0.0)


def test_a_cost_is_not_negative() -> None:
    """A negative cost would draw all traffic to one endpoint."""
    with pytest.raises(ValueError, match="at least 0"):
        PeakEwma(1.0).update(-1.0, 0.0)


@pytest.mark.parametrize("decay", [0.0, -1.0, math.nan, math.inf])
def test_a_decay_without_meaning_is_refused(decay: float) -> None:
    """An average must forget, and not everything at once."""
    with pytest.raises(ValueError, match="decay"):
        Ewma(decay)
    with pytest.raises(ValueError, match="decay"):
        PeakEwma(decay)
