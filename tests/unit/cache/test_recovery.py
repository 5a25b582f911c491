"""What was missed is remembered once, bounded, and never forgotten before it is heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache.recovery import EVERYTHING, Missed, Recovery


@given(names=st.lists(st.integers(0, 9).map(str), min_size=1), limit=st.integers(1, 12))
def test_everything_missed_is_covered(names: list[str], limit: int) -> None:
    """Each by itself, or all by one."""
    recovery = Recovery(limit=limit)
    for name in names:
        recovery.add(Missed("key", name))
    assert len(recovery) <= limit
    covered = set()
    while recovery:
        missed, times = recovery.next()
        covered.add(missed)
        recovery.done(missed, times)
    assert EVERYTHING in covered or {Missed("key", name) for name in names} == covered
    assert (EVERYTHING in covered) is (len(set(names)) > limit)


def test_what_is_missed_again_meanwhile_stays() -> None:
    """An invalidation during the replay of its like is replayed, too."""
    recovery = Recovery()
    recovery.add(Missed("key", "a"))
    missed, times = recovery.next()
    recovery.add(Missed("key", "a"))
    recovery.done(missed, times)
    assert len(recovery) == 1
    recovery.done(*recovery.next())
    assert not recovery


def test_everything_stands_for_the_rest() -> None:
    """What comes after it is covered by it, and it is replayed again."""
    recovery = Recovery()
    recovery.add(Missed("tag", "a"))
    recovery.add(EVERYTHING)
    first = recovery.next()
    recovery.add(Missed("key", "b"))
    recovery.done(*first)
    assert recovery.next()[0] == EVERYTHING
    assert len(recovery) == 1


def test_a_limit_without_room_is_refused() -> None:
    """It is checked when it is given."""
    with pytest.raises(ValueError, match="limit"):
        Recovery(limit=0)
