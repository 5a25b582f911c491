"""Predictions come from what users did, and beat popularity where there is something to learn."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.cache import PopularKeys, Successions

PER_REQUEST = 3


def sessions(seed: int, users: int, length: int) -> list[tuple[str, str]]:
    """Return requests of users who mostly go on to one of two next pages, else anywhere."""
    chance = Random(seed)
    places = {f"u{n}": chance.randrange(500) for n in range(users)}
    trace = []
    for _ in range(length):
        for user, page in list(places.items()):
            step = chance.random()
            if step < 0.7:
                places[user] = (page * 7 + (1 if step < 0.5 else 2)) % 500
            else:
                places[user] = min(int(chance.paretovariate(0.8)), 499)
            trace.append((user, f"page:{places[user]}"))
    return trace


def test_better_than_popularity_on_the_held_back_part_of_a_trace() -> None:
    """Learn on four fifths; on the rest predict three keys for each request before it is seen."""
    trace = sessions(seed=3, users=40, length=250)
    begin = len(trace) * 4 // 5
    successions, popular = Successions(), PopularKeys()
    hits = {"successions": 0, "popular": 0}
    for place, (user, key) in enumerate(trace):
        if place >= begin:
            hits["successions"] += key in successions.predict(user, PER_REQUEST)
            hits["popular"] += key in popular.top(PER_REQUEST)
        successions.record(user, key)
        popular.record(key)
    assert hits["successions"] > 1.5 * hits["popular"]


@given(
    requests=st.lists(st.tuples(st.sampled_from("uvwxyz"), st.integers(0, 20).map(str))),
    size=st.integers(1, 4),
)
def test_memory_is_bounded_and_predictions_were_seen(
    requests: list[tuple[str, str]], size: int
) -> None:
    """A predicted key did follow the user's latest one for somebody."""
    successions = Successions(max_users=size, max_keys=size, followers=size)
    latest: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for user, key in requests:
        if user in latest:
            seen.add((latest[user], key))
        latest[user] = key
        successions.record(user, key)
        for each in "uvwxyz":
            for predicted in successions.predict(each):
                assert (latest[each], predicted) in seen
    assert len(successions._latest) <= size
    assert len(successions._followers) <= size
    assert all(len(each) <= size for each in successions._followers.values())


def test_nothing_is_predicted_for_a_stranger() -> None:
    """Nor after a key that nothing followed."""
    successions = Successions()
    successions.record("u", "a")
    assert successions.predict("u") == successions.predict("v") == []


def test_sizes_without_meaning_are_refused() -> None:
    """When it is made."""
    with pytest.raises(ValueError, match="max_users"):
        Successions(max_users=0)
