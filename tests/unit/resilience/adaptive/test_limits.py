"""Limits find what a dependency takes, give way when it slows down, and stay within bounds."""

from collections.abc import Callable
from math import inf
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import Aimd, ConcurrencyLimit, Gradient

both = pytest.mark.parametrize("make", [Aimd, Gradient])
Make = Callable[..., ConcurrencyLimit]

WORKERS, SERVICE = 8, 0.010


class Dependency:
    """Some workers, as many callers as the limit lets in, and a clock.

    With n calls under way on w workers a call takes n / w service times, or one when n <= w.
    """

    def __init__(self, limit: ConcurrencyLimit, *, seed: int = 1) -> None:
        self.limit, self.workers, self.now = limit, WORKERS, 0.0
        self._chance = Random(seed)

    def serve(self, seconds: float) -> float:
        """Answer for some time; return the mean latency (s)."""
        end, latencies = self.now + seconds, []
        while self.now < end:
            running = self.limit.limit
            queued = max(1.0, running / self.workers)
            latency = SERVICE * queued * self._chance.uniform(0.8, 1.2)
            self.limit.record(latency, running, self.now, dropped=latency > 20 * SERVICE)
            self.now += latency / running
            latencies.append(latency)
        return fmean(latencies)


@both
@given(
    samples=st.lists(
        st.tuples(st.floats(0, 1e3), st.integers(1, 2_000), st.floats(-1e3, 1e3), st.booleans()),
        max_size=200,
    )
)
def test_no_answers_move_it_out_of_bounds(
    make: Make, samples: list[tuple[float, int, float, bool]]
) -> None:
    """Whatever comes, on whatever clock, it is a whole number between minimum and maximum."""
    limit = make(minimum=2, maximum=50)
    for latency, running, now, dropped in samples:
        limit.record(latency, running, now, dropped=dropped)
        assert 2 <= limit.limit <= 50


@both
def test_it_grows_while_the_dependency_is_quick(make: Make) -> None:
    """Nothing queues, so more may come."""
    limit = make(maximum=100)
    for n in range(5_000):
        limit.record(SERVICE, limit.limit, n / 1_000, dropped=False)
    assert limit.limit > 90


@both
def test_a_limit_that_is_not_used_does_not_grow(make: Make) -> None:
    """A few calls on a quiet day say nothing about a thousand."""
    limit = make()
    for n in range(1_000):
        limit.record(SERVICE, 3, n / 1_000, dropped=False)
    assert limit.limit <= 20


@both
def test_drops_shrink_it_to_the_minimum(make: Make) -> None:
    """A dependency that answers nobody gets the fewest calls."""
    limit = make(minimum=3)
    for n in range(3_000):
        limit.record(SERVICE, limit.limit, n / 1_000, dropped=False)
    assert limit.limit > 20
    for n in range(3_000):
        limit.record(SERVICE, limit.limit, 3.0 + n / 1_000, dropped=True)
    assert limit.limit == 3


def test_the_gradient_keeps_the_queue_short_for_long() -> None:
    """In front of eight workers it neither starves them nor lets the wait creep up."""
    limit = Gradient(measure_every=15.0)
    dependency = Dependency(limit)
    for _ in range(3):
        dependency.serve(100.0)
        assert SERVICE < dependency.serve(30.0) < 2.5 * SERVICE
        assert WORKERS <= limit.limit <= 2.5 * WORKERS


def test_the_gradient_follows_workers_that_die_and_come_back() -> None:
    """Six of eight gone, it lets fewer in; when they are back, more again."""
    limit = Gradient()
    dependency = Dependency(limit)
    dependency.serve(30.0)
    for workers in (2, WORKERS):
        dependency.workers = workers
        assert dependency.serve(300.0) < 4 * SERVICE
    assert limit.limit >= WORKERS


def test_the_gradient_learns_that_work_has_become_slower() -> None:
    """The next measurement tells that it is the work and not a queue."""
    limit = Gradient(measure_every=5.0)
    for n in range(20_000):
        limit.record(SERVICE if n < 10_000 else 4 * SERVICE, limit.limit, n / 100, dropped=False)
    assert limit._base == 4 * SERVICE


def test_late_answers_are_drops_for_aimd() -> None:
    """It backs off by its share as soon as one is too late."""
    limit = Aimd(initial=100, late_after=0.1)
    limit.record(0.2, 100, 0.0, dropped=False)
    assert limit.limit == 90
    Dependency(limit).serve(60.0)
    assert WORKERS <= limit.limit <= 0.1 / SERVICE * WORKERS


@both
@pytest.mark.parametrize(
    "given", [{"minimum": 0}, {"minimum": 6, "maximum": 5}, {"minimum": 30, "maximum": 25}]
)
def test_bounds_without_meaning_are_refused(make: Make, given: dict[str, int]) -> None:
    """The error names all three."""
    with pytest.raises(ValueError, match="minimum must be at least 1, initial between"):
        make(**given)


def test_settings_without_meaning_are_refused() -> None:
    """The errors name the argument."""
    with pytest.raises(ValueError, match=r"shrink must be 0\.5 up to below 1"):
        Aimd(shrink=1.0)
    with pytest.raises(ValueError, match="late_after must be above 0"):
        Aimd(late_after=0.0)
    with pytest.raises(ValueError, match="initial between"):
        Aimd(initial=11, maximum=10)
    with pytest.raises(ValueError, match="tolerance must be above 0 and finite"):
        Gradient(tolerance=inf)
    with pytest.raises(ValueError, match="measure_every must be above 0 s"):
        Gradient(measure_every=0.0)
