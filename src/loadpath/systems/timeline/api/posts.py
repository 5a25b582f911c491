"""Posts as they are sent: encoded once, kept in a bounded memory, joined into pages.

The record is asked once per page, for all posts that are not in memory.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from loadpath.systems.timeline.api.messages import Post
from loadpath.systems.timeline.record.model import StoredPost

Fetch = Callable[[Sequence[int]], Awaitable[Iterable[StoredPost]]]
"""How posts are read by id: `Record.posts`."""


class PostCache:
    """Keep encoded posts, the ones added last, within two bounds.

    Posts never change, so nothing here expires; what is read is mostly new, so the oldest entry
    makes room.

    Args:
        entries: Most posts.
        size: Most bytes of encoded posts.
    """

    def __init__(self, *, entries: int, size: int) -> None:
        if min(entries, size) < 1:
            raise ValueError(f"entries and size must be at least 1, not {entries} and {size}")
        self._entries = entries
        self._size = size
        self._held = 0
        self._encoded: dict[int, bytes] = {}
        self._encode = msgspec.json.Encoder().encode
        self.get = self._encoded.get

    def __len__(self) -> int:
        return len(self._encoded)

    @property
    def held(self) -> int:
        """Bytes of encoded posts in memory."""
        return self._held

    def add(self, post: StoredPost) -> bytes:
        """Return a post encoded as JSON, and keep it."""
        encoded = self._encode(Post.of(post))
        self._held += len(encoded) - len(self._encoded.pop(post.id, b""))
        self._encoded[post.id] = encoded
        while len(self._encoded) > self._entries or self._held > self._size:
            self._held -= len(self._encoded.pop(next(iter(self._encoded))))
        return encoded


async def encoded_posts(cache: PostCache, fetch: Fetch, ids: Sequence[int]) -> list[bytes]:
    """Return posts as JSON, in the order of their ids; an id that no post has is left out."""
    found = [cache.get(id_) for id_ in ids]
    if None not in found:
        return found  # type: ignore[return-value] # the line above says that there is no None
    missing = [id_ for id_, post in zip(ids, found, strict=True) if post is None]
    fetched = {post.id: cache.add(post) for post in await fetch(missing)}
    return [
        encoded
        for id_, post in zip(ids, found, strict=True)
        if (encoded := post or fetched.get(id_)) is not None
    ]


def page_body(posts: Sequence[bytes], next_cursor: str | None) -> bytes:
    """Return a `PostPage` as JSON, made of posts that are JSON already."""
    cursor = b"null" if next_cursor is None else b'"%b"' % next_cursor.encode()
    return b'{"posts":[%b],"next_cursor":%b}' % (b",".join(posts), cursor)
