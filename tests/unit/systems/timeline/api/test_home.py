"""A page comes from the ring only when the ring surely has all of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.api.home import SKEW, Page, home_page, page_of

SECOND = 1000 << 22
NEWEST = (1 << 63) - 1


@dataclass
class View:
    """Show some ids as a ring does."""

    ids: npt.NDArray[np.uint64]
    full: bool


def ring_of(inserted: list[int], length: int) -> View:
    """Return what a ring shows after insertions in this order."""
    newest_first = inserted[::-1][:length]
    return View(np.array(newest_first, np.uint64), full=len(inserted) >= length)


@dataclass
class World:
    """Hold what was committed, in that order, and answer as ring and record do."""

    inserted: list[int]
    length: int

    def newest(self, _user_id: int) -> View:
        """Return the ring."""
        return ring_of(self.inserted, self.length)

    async def pull(self, _user_id: int, /, *, before: int, limit: int) -> list[int]:
        """Return what the record has."""
        return sorted((id_ for id_ in self.inserted if id_ < before), reverse=True)[:limit]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw posts whose commits lag behind their ids by up to SKEW."""
    drawn = draw(st.lists(st.floats(0, 300), unique=True, max_size=60))
    lags = draw(st.lists(st.floats(0, SKEW), min_size=len(drawn), max_size=len(drawn)))
    commits = sorted(zip(drawn, lags, strict=True), key=sum)
    ids = [int(at * SECOND) + n + 1 for n, (at, _) in enumerate(commits)]
    return World(ids, draw(st.integers(1, 40)))


@given(world=worlds(), limit=st.integers(1, 30))
async def test_pages_show_every_post_once(world: World, limit: int) -> None:
    """Page after page, from ring and record, all posts appear once, newest first."""
    seen: list[int] = []
    before, more = NEWEST, True
    while more:
        page = await home_page(world, world.pull, 1, before=before, limit=limit)
        assert len(page.ids) <= limit
        seen += page.ids
        more = page.more
        before = seen[-1] if seen else 0
    assert seen == sorted(world.inserted, reverse=True)


def test_a_ring_that_is_not_full_answers_alone() -> None:
    """Nothing was dropped from it, so its end is the end."""
    view = ring_of([3, 1, 2], length=9)
    assert page_of(view, NEWEST, 2) == Page([3, 2], more=True, source="ring")
    assert page_of(view, 2, 2) == Page([1], more=False, source="ring")
    assert page_of(view, 1, 2) == Page([], more=False, source="ring")


def test_the_top_of_a_full_ring_answers() -> None:
    """What is more than SKEW newer than the oldest entry is complete."""
    inserted = [n * SECOND for n in range(1, 201)]
    page = page_of(ring_of(inserted, length=100), NEWEST, 20)
    assert page == Page(inserted[:-21:-1], more=True, source="ring")


def test_the_tail_of_a_full_ring_does_not() -> None:
    """A post with a higher id may have been dropped before the oldest entries came."""
    inserted = [n * SECOND for n in range(1, 201)]
    assert page_of(ring_of(inserted, length=100), 125 * SECOND, 20) is None


async def test_without_a_ring_the_record_answers() -> None:
    """A user without a ring, or with one that is being rewritten, gets the same page."""
    world = World([1, 2, 3], 9)

    class NoRings:
        def newest(self, _user_id: int) -> None:
            return None

    page = await home_page(NoRings(), world.pull, 1, before=NEWEST, limit=2)
    assert page == Page([3, 2], more=True, source="record")
