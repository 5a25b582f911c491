"""Behaviour of the audit's comparison: it finds every fault, and nothing where there is none."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.load.places import INVERSION, Found, Places, Truth, shown

USERS = 12
POST = 1 << 40
Place = tuple[int, int]

worlds = st.tuples(
    st.sets(st.tuples(st.integers(1, USERS), st.integers(1, USERS)), max_size=50),
    st.lists(st.integers(1, USERS), max_size=30),
)


def truth_of(follows: set[tuple[int, int]], authors: list[int]) -> Truth:
    """Return the record of these follows and of one post per author named."""
    edges = sorted((f << 32) | a for f, a in follows if f != a and a in authors)
    posts = np.arange(len(authors), dtype=np.int64) + POST
    return Truth(posts, np.array(authors, np.int64), np.array(edges, np.int64))


def wanted_of(follows: set[tuple[int, int]], authors: list[int]) -> list[Place]:
    """Return every (user, post id) that the record asks for, the slow way."""
    return sorted(
        (user, POST + number)
        for number, author in enumerate(authors)
        for user, followee in follows
        if followee == author != user
    )


def compare(truth: Truth, places: list[Place], *, length: int = 100, rings: int = 5) -> Found:
    """Compare what rings hold with the record, range by range."""
    found = Found()
    checked = Places(truth, length=length)
    for first, end in checked.ranges(USERS, rings=rings):
        mine = [place for place in places if first <= place[0] < end]
        users = np.array([user for user, _ in mine], np.int64)
        held = np.array([post for _, post in mine], np.int64)
        checked.compare(first, end, users, held, found)
    return found


@given(world=worlds, rings=st.integers(1, 20))
def test_rings_that_hold_exactly_what_they_should_have_no_fault(
    world: tuple[set[tuple[int, int]], list[int]], rings: int
) -> None:
    """Whatever the graph, and however it is cut into ranges."""
    wanted = wanted_of(*world)
    found = compare(truth_of(*world), wanted, rings=rings)
    assert found == Found(pairs=len(wanted))


@given(world=worlds, data=st.data())
def test_every_kind_of_fault_is_counted(
    world: tuple[set[tuple[int, int]], list[int]], data: st.DataObject
) -> None:
    """Places taken away, doubled, and given to strangers, each as many times as it was done."""
    wanted = wanted_of(*world)
    removed = data.draw(st.sets(st.sampled_from(wanted))) if wanted else set()
    kept = [place for place in wanted if place not in removed]
    doubled = data.draw(st.lists(st.sampled_from(kept), max_size=5)) if kept else []
    every = [(user, POST + n) for user in range(1, USERS + 1) for n in range(len(world[1]))]
    strange = [place for place in every if place not in set(wanted)]
    foreign = data.draw(st.sets(st.sampled_from(strange), max_size=5)) if strange else set()
    found = compare(truth_of(*world), [*kept, *doubled, *foreign])
    assert found.missing == len(removed)
    assert found.repeated == sum(Counter(doubled).values())
    assert found.foreign == len(foreign)
    assert found.unknown == 0


def test_a_post_that_was_never_written_is_unknown() -> None:
    """Ids between those of the record are nobody's; later ones are left to be looked up."""
    truth = Truth(
        np.array([POST, POST + 10], np.int64),
        np.array([1, 1], np.int64),
        np.array([(2 << 32) | 1], np.int64),
    )
    found = compare(truth, [(2, POST), (2, POST + 10), (2, POST + 5), (3, POST + 11)])
    assert found.unknown == 1
    assert found.newer == {POST + 11}
    assert (found.missing, found.foreign, found.repeated) == (0, 0, 0)


def test_a_full_ring_may_lack_only_what_is_older_than_what_it_shows() -> None:
    """What fell off the end is not missing; a gap in the middle is."""
    ids = np.arange(10, dtype=np.int64) * INVERSION + POST
    truth = Truth(ids, np.ones(10, np.int64), np.array([(2 << 32) | 1], np.int64))
    newest = [(2, int(post)) for post in ids]
    assert compare(truth, newest[6:], length=4).missing == 0
    assert compare(truth, newest[7:], length=4).missing == 7
    assert compare(truth, [newest[2], *newest[7:]], length=4).missing == 4


def test_nothing_posted_needs_no_place() -> None:
    """An empty record is compared, not crashed on."""
    nothing = np.empty(0, np.int64)
    assert compare(Truth(nothing, nothing, nothing), []) == Found()
    assert compare(Truth(nothing, nothing, nothing), [(1, POST)]).newer == {POST}


@given(head=st.integers(0, 9), count=st.integers(0, 30), length=st.integers(1, 8))
def test_a_ring_shows_its_newest_posts(head: int, count: int, length: int) -> None:
    """Of what was written round and round, the last `length` before the head."""
    slots = np.zeros((3, 10), np.int64)
    written = list(range(1, count + 1))
    for at, post in enumerate(written):
        slots[1, (head + at) % 10] = post
    states = np.zeros(3, np.uint64)
    states[1] = (head + count) % 10
    rows, posts = shown(states, slots, length=length)
    assert set(rows.tolist()) <= {1}
    assert sorted(posts.tolist()) == written[-length:]
