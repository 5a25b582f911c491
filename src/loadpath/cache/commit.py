"""Invalidate after the commit, never before: who reads in between would cache the old row again."""

from collections.abc import Awaitable
from typing import Protocol


class Invalidating(Protocol):
    """Invalidate; a `MultiLayerCache`."""

    def delete(self, *keys: str) -> Awaitable[object]:
        """Forget keys."""
        ...

    def invalidate_tags(self, *tags: str) -> Awaitable[object]:
        """Let every entry with one of the tags be invalid."""
        ...

    def invalidate_entity(self, entity: str, id_: str | int) -> Awaitable[object]:
        """Remove the keys that belong to an entity."""
        ...


class AfterCommit:
    """Collect what a transaction makes invalid."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._tags: dict[str, None] = {}
        self._entities: dict[tuple[str, str | int], None] = {}

    def delete(self, *keys: str) -> None:
        """Forget keys after the commit."""
        self._keys.update(dict.fromkeys(keys))

    def invalidate_tags(self, *tags: str) -> None:
        """Let every entry with one of the tags be invalid after the commit."""
        self._tags.update(dict.fromkeys(tags))

    def invalidate_entity(self, entity: str, id_: str | int) -> None:
        """Remove the keys that belong to an entity after the commit."""
        self._entities[entity, id_] = None

    async def run(self, cache: Invalidating) -> None:
        """Do what was collected."""
        if self._keys:
            await cache.delete(*self._keys)
        if self._tags:
            await cache.invalidate_tags(*self._tags)
        for entity, id_ in self._entities:
            await cache.invalidate_entity(entity, id_)
