"""Places are given in order, never more than there are, and none is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience.bulkhead.places import Places

steps = st.lists(st.tuples(st.sampled_from(["come", "leave", "give_up"]), st.integers(0, 30)))


@given(steps=steps, places=st.integers(1, 3), queue=st.integers(0, 4))
def test_first_come_first_served(steps: list[tuple[str, int]], places: int, queue: int) -> None:
    """Against two plain lists: who works and who waits."""
    machine = Places[int](places, queue)
    working: list[int] = []
    waiting: list[int] = []
    for number, (kind, which) in enumerate(steps):
        if kind == "come":
            free = len(working) < places and not waiting
            assert machine.take() is free
            if free:
                working.append(number)
            elif machine.wait(number):
                waiting.append(number)
        elif kind == "leave" and working:
            working.pop(which % len(working))
            following = waiting.pop(0) if waiting else None
            assert machine.leave() == following
            if following is not None:
                working.append(following)
        elif kind == "give_up":
            assert machine.give_up(which) is (which in waiting)
            waiting = [each for each in waiting if each != which]
        assert machine.taken == len(working) <= places
        assert machine.waiting == len(waiting) <= queue


def test_places_without_meaning_are_refused() -> None:
    """The errors name the argument."""
    with pytest.raises(ValueError, match="places must be at least 1"):
        Places[int](0, 0)
    with pytest.raises(ValueError, match="queue must be at least 0"):
        Places[int](1, -1)
