"""Posts as they are sent: encoded once, kept in a bounded memory, joined into pages.

The record is asked once per page, for all posts that are not in memory.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from loadpath.cache import EntryOptions, MultiLayerCache
from loadpath.systems.timeline.api.messages import Post
from loadpath.systems.timeline.record.model import StoredPost

Fetch = Callable[[Sequence[int]], Awaitable[Iterable[StoredPost]]]
"""How posts are read by id: `Record.posts`."""
KEPT = EntryOptions(l1_ttl=31_536_000.0, l2_ttl=31_536_000.0, negative_ttl=0.0)
"""How long what never changes is kept: a year. What is not there yet may be there soon."""


class PostCache:
    """Keep encoded posts in memory, within two bounds; they never change, so nothing is too old.

    Args:
        entries: Most posts.
        size: Most bytes of encoded posts and their keys.
    """

    def __init__(self, *, entries: int, size: int) -> None:
        if min(entries, size) < 1:
            raise ValueError(f"entries and size must be at least 1, not {entries} and {size}")
        self._cache = MultiLayerCache(l1_entries=entries, l1_bytes=size, options=KEPT)
        self._probe = self._cache.probe
        self._encode = msgspec.json.Encoder().encode
        self.snapshot = self._cache.snapshot

    def get(self, id_: int) -> bytes | None:
        """Return a post as JSON if it is in memory."""
        found: bytes | None = self._probe(str(id_))
        return found

    async def add(self, post: StoredPost) -> bytes:
        """Return a post encoded as JSON, and keep it."""
        encoded = self._encode(Post.of(post))
        await self._cache.set(str(post.id), encoded)
        return encoded


async def encoded_posts(cache: PostCache, fetch: Fetch, ids: Sequence[int]) -> list[bytes]:
    """Return posts as JSON, in the order of their ids; an id that no post has is left out."""
    found = [cache.get(id_) for id_ in ids]
    if None not in found:
        return found  # type: ignore[return-value] # the line above says that there is no None
    missing = [id_ for id_, post in zip(ids, found, strict=True) if post is None]
    fetched = {post.id: await cache.add(post) for post in await fetch(missing)}
    return [
        encoded
        for id_, post in zip(ids, found, strict=True)
        if (encoded := post or fetched.get(id_)) is not None
    ]


def page_body(posts: Sequence[bytes], next_cursor: str | None) -> bytes:
    """Return a `PostPage` as JSON, made of posts that are JSON already."""
    cursor = b"null" if next_cursor is None else b'"%b"' % next_cursor.encode()
    return b'{"posts":[%b],"next_cursor":%b}' % (b",".join(posts), cursor)
