"""How a cache hears what others change in the shared layer."""

from collections.abc import Awaitable, Callable
from typing import Protocol


class Hearing(Protocol):
    """Be told what changed."""

    def changed(self, key: str) -> None:
        """Learn that the entry of a key was written or removed."""
        ...

    def tag_changed(self, tag: str) -> None:
        """Learn that a tag was invalidated."""
        ...

    def all_changed(self) -> None:
        """Learn that anything may have changed."""
        ...


class Backplane(Protocol):
    """Tell caches what others change."""

    async def start(self, hearing: Hearing) -> Callable[[], Awaitable[None] | None]:
        """Begin to tell, and return what ends that; an awaitable from it is waited for."""
        ...
