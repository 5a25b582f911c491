"""Counts of workers add up."""

from hypothesis import given
from hypothesis import strategies as st

from loadpath.gateway.serving.figures import BOUNDS, RouteFigures

REQUESTS = st.lists(
    st.tuples(st.sampled_from([200, 404, 503]), st.floats(0, 20), st.integers(0, 100)), max_size=30
)


@given(REQUESTS, REQUESTS)
def test_two_workers_count_as_one_does(
    first: list[tuple[int, float, int]], second: list[tuple[int, float, int]]
) -> None:
    """Adding is the same as having counted all in one place."""
    one, other, both = RouteFigures(), RouteFigures(), RouteFigures()
    for figures, requests in ((one, first), (other, second), (both, [*first, *second])):
        for each in requests:
            figures.count(*each)
    one.add(other)
    assert one.statuses == both.statuses
    assert one.buckets == both.buckets
    assert one.sent == both.sent
    assert abs(one.seconds - both.seconds) < 1e-6


def test_a_bound_belongs_to_its_bucket() -> None:
    """`le` means less or equal."""
    figures = RouteFigures()
    figures.count(200, BOUNDS[0], 0)
    figures.count(200, BOUNDS[-1] + 1, 0)
    assert figures.buckets[0] == figures.buckets[-1] == 1
