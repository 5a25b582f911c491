"""Pages of a home timeline: from the ring while it surely has them all, else from the record.

A ring holds the posts that were inserted last, which are almost the ones with the highest ids:
posts commit a moment after their id is drawn, not always in the same order. So a full ring may
have dropped a post that is newer, by id, than its oldest ones. The drop happened before its
oldest entry came, hence the dropped id is at most `SKEW` newer than that entry's id, and whatever
is further up is complete.
"""

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

SKEW = 30.0
"""Longest time from drawing an id to the commit of its post, clocks' differences included (s)."""

_MARGIN = int(SKEW * 1000) << 22  # as a difference of Snowflake ids
_FEW = 3  # times the length of a page
Ids = npt.NDArray[np.uint64]


class TimelineView(Protocol):
    """Show a ring: `rings.Timeline`."""

    @property
    def ids(self) -> Ids:
        """Post ids, the one inserted last first."""
        ...

    @property
    def full(self) -> bool:
        """Whether older posts may exist beyond these."""
        ...


class Timelines(Protocol):
    """Give what rings show: `rings.TimelineReader`."""

    def newest(self, user_id: int) -> TimelineView | None:
        """Return a user's ring; None means that the record must be asked."""
        ...


class Page(NamedTuple):
    """Hold the ids of one page.

    Attributes:
        ids: Newest first.
        more: Whether another page follows.
        source: Where they come from, `ring` or `record`.
    """

    ids: list[int]
    more: bool
    source: str


class Pull(Protocol):
    """Ask the record: `Record.home`."""

    def __call__(self, user_id: int, /, *, before: int, limit: int) -> Awaitable[list[int]]:
        """Return ids below `before`, newest first."""
        ...


def page_of(timeline: TimelineView, before: int, limit: int) -> Page | None:
    """Return the page of ids below `before`, None when the ring may not hold all of it.

    Args:
        timeline: What the ring shows.
        before: Only smaller ids.
        limit: Most ids of the page.
    """
    shown = timeline.ids
    # The first page, which most readers ask for, is nearly always among the newest few.
    few = shown[: _FEW * limit]
    page = _page(few, before, limit, full=timeline.full or len(few) < len(shown))
    return page or _page(shown, before, limit, full=timeline.full)


def _page(shown: Ids, before: int, limit: int, *, full: bool) -> Page | None:
    ids = [id_ for id_ in shown.tolist() if id_ < before]
    ids.sort(reverse=True)
    if not full or (len(ids) > limit and ids[limit] > int(shown[-1]) + _MARGIN):
        return Page(ids[:limit], len(ids) > limit, "ring")
    return None


async def home_page(
    timelines: Timelines, pull: Pull, user_id: int, *, before: int, limit: int
) -> Page:
    """Return a page of a user's home timeline.

    Args:
        timelines: The rings.
        pull: Asks the record.
        user_id: Whose timeline.
        before: Only smaller ids.
        limit: Most ids of the page.
    """
    timeline = timelines.newest(user_id)
    page = None if timeline is None else page_of(timeline, before, limit)
    if page is not None:
        return page
    ids = await pull(user_id, before=before, limit=limit + 1)
    return Page(ids[:limit], len(ids) > limit, "record")
