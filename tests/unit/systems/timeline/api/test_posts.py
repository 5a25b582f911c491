"""Posts are encoded once and kept within bounds."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.systems.timeline.api.messages import PostPage
from loadpath.systems.timeline.api.posts import PostCache, encoded_posts, page_body
from loadpath.systems.timeline.record.model import StoredPost


class Table:
    """Hold posts as the record would, and remember what was asked."""

    def __init__(self, *ids: int) -> None:
        self.asked: list[Sequence[int]] = []
        self._posts = {id_: StoredPost(id_, "alice", f"post {id_}") for id_ in ids}

    async def posts(self, ids: Sequence[int]) -> list[StoredPost]:
        """Return the posts that exist, in another order than asked."""
        self.asked.append(ids)
        return [self._posts[id_] for id_ in reversed(ids) if id_ in self._posts]


def shown(body: bytes) -> list[int]:
    """Return the ids in a page."""
    return [int(post.id) for post in msgspec.json.decode(body, type=PostPage).posts]


async def test_misses_are_asked_for_once() -> None:
    """One query fetches all posts that are not in memory; a second page needs none."""
    cache, table = PostCache(entries=10, size=10_000), Table(1, 2, 3, 4)
    await encoded_posts(cache, table.posts, [3])
    for _ in range(2):
        found = await encoded_posts(cache, table.posts, [4, 3, 2, 1])
        assert shown(page_body(found, None)) == [4, 3, 2, 1]
    assert table.asked == [[3], [4, 2, 1]]


async def test_ids_without_a_post_are_left_out() -> None:
    """A ring that runs ahead of a restored record shows what there is."""
    found = await encoded_posts(PostCache(entries=9, size=9_999), Table(1, 3).posts, [3, 2, 1])
    assert shown(page_body(found, None)) == [3, 1]


async def test_a_page_larger_than_the_memory_is_whole() -> None:
    """What does not fit into memory is still sent."""
    cache = PostCache(entries=2, size=10_000)
    found = await encoded_posts(cache, Table(1, 2, 3, 4).posts, [4, 3, 2, 1])
    assert shown(page_body(found, None)) == [4, 3, 2, 1]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.text(max_size=50)), max_size=60),
    st.integers(1, 20),
    st.integers(1, 2_000),
)
async def test_neither_bound_is_passed(
    posts: list[tuple[int, str]], entries: int, size: int
) -> None:
    """However posts come, entries and bytes stay within bounds."""
    cache = PostCache(entries=entries, size=size)
    for id_, text in posts:
        await cache.add(StoredPost(id_, "a", text))
        memory = cache.snapshot().l1
        assert memory is not None
        assert memory.entries <= entries
        assert memory.bytes <= size


@given(st.lists(st.text(), max_size=5), st.none() | st.from_regex("[a-zA-Z0-9_-]+", fullmatch=True))
async def test_a_joined_page_is_the_encoded_page(texts: list[str], cursor: str | None) -> None:
    """Joining encoded posts gives the JSON that encoding the page would give."""
    cache = PostCache(entries=10, size=100_000)
    posts = [await cache.add(StoredPost(n, "a", text)) for n, text in enumerate(texts)]
    body = page_body(posts, cursor)
    page = msgspec.json.decode(body, type=PostPage)
    assert [post.text for post in page.posts] == texts
    assert msgspec.json.encode(page) == body


@pytest.mark.parametrize(("entries", "size"), [(0, 1), (1, 0)])
def test_bounds_must_allow_something(entries: int, size: int) -> None:
    """A cache of nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        PostCache(entries=entries, size=size)
