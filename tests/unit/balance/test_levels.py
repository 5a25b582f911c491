"""Priorities and panic share the traffic as Envoy's documentation tables do."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.balance.levels import loads

# The tables of Envoy's pages "Priority levels" and "Panic threshold": healthy percent of each
# level and traffic percent of each level. (Two rows of the second page contradict the first page
# and the algorithm that both describe; they are not here.)
PRIORITIES = [
    ((100, 100), (100, 0)),
    ((72, 100), (100, 0)),
    ((71, 100), (99, 1)),
    ((50, 100), (70, 30)),
    ((25, 100), (35, 65)),
    ((0, 100), (0, 100)),
    ((72, 72), (100, 0)),
    ((71, 71), (99, 1)),
    ((50, 50), (70, 30)),
    ((25, 25), (50, 50)),
    ((100, 100, 100), (100, 0, 0)),
    ((72, 72, 100), (100, 0, 0)),
    ((71, 71, 100), (99, 1, 0)),
    ((50, 50, 100), (70, 30, 0)),
    ((25, 100, 100), (35, 65, 0)),
    ((25, 25, 100), (35, 35, 30)),
    ((25, 25, 20), (36, 36, 28)),
]
PANICS = [
    ((72, 72), (100, 0), (False, False)),
    ((71, 71), (99, 1), (False, False)),
    ((25, 25), (50, 50), (True, True)),
    ((5, 65), (7, 93), (True, False)),
    ((0, 0), (100, 0), (True, True)),
]


@pytest.mark.parametrize(("healthy", "traffic"), PRIORITIES)
def test_envoys_table_of_priorities(healthy: tuple[int, ...], traffic: tuple[int, ...]) -> None:
    """Each row, to the percent that the table rounds to; that page knows no panic."""
    given = loads([(each, 100) for each in healthy], panic=0.0)
    assert [load.share * 100 for load in given] == pytest.approx(traffic, abs=1.0)


@pytest.mark.parametrize(("healthy", "traffic", "panics"), PANICS)
def test_envoys_table_of_panics(
    healthy: tuple[int, ...], traffic: tuple[int, ...], panics: tuple[bool, ...]
) -> None:
    """Each row: traffic and who is in panic."""
    given = loads([(each, 100) for each in healthy])
    assert [load.share * 100 for load in given] == pytest.approx(traffic, abs=1.0)
    assert tuple(load.panic for load in given) == panics


def test_one_level_panics_below_half() -> None:
    """At exactly half it does not."""
    assert not loads([(5, 10)])[0].panic
    assert loads([(4, 10)])[0].panic


def test_without_panic_nobody_may_be_left() -> None:
    """With the threshold at 0 a dead level gets nothing, and neither does anybody else."""
    assert [(each.share, each.panic) for each in loads([(0, 3)], panic=0.0)] == [(0.0, False)]


def test_nginx_backup() -> None:
    """With infinite overprovisioning the backup serves only when nobody else is left."""
    assert [each.share for each in loads([(1, 10), (2, 2)], overprovisioning=inf)] == [1.0, 0.0]
    assert [each.share for each in loads([(0, 10), (2, 2)], overprovisioning=inf)] == [0.0, 1.0]


def test_empty_levels_get_nothing() -> None:
    """A level whose endpoints an operator took out is passed, in a panic too."""
    assert [each.share for each in loads([(0, 0), (3, 3)])] == [0.0, 1.0]
    assert [each.share for each in loads([(0, 0), (0, 3)])] == [0.0, 1.0]
    assert [each.share for each in loads([(0, 0)])] == [0.0]
    assert loads([]) == []


counts = st.integers(0, 20).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(levels=st.lists(counts, min_size=1, max_size=5), panic=st.floats(0, 1))
def test_all_of_the_traffic_goes_somewhere_it_can(
    levels: list[tuple[int, int]], panic: float
) -> None:
    """Shares sum to 1 or to 0; who gets some has somebody to give it to."""
    given = loads(levels, panic=panic)
    total = sum(each.share for each in given)
    assert total == pytest.approx(1.0) or total == 0.0
    for (available, endpoints), load in zip(levels, given, strict=True):
        assert load.share >= 0
        if load.share > 1e-9:
            assert endpoints if load.panic else available
    if any(available for available, _ in levels):
        assert total == pytest.approx(1.0)
