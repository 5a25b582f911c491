"""Invalidate after the commit, never before: who reads in between would cache the old row again."""

from collections.abc import Awaitable
from typing import Protocol, Self

import msgspec

from loadpath.cache.glob import matcher
from loadpath.cache.rules import InvalidationRules


class Invalidating(Protocol):
    """Invalidate; a `MultiLayerCache`."""

    def delete(self, *keys: str) -> Awaitable[object]:
        """Forget keys."""
        ...

    def invalidate_tags(self, *tags: str) -> Awaitable[object]:
        """Let every entry with one of the tags be invalid."""
        ...

    def invalidate_pattern(self, pattern: str) -> Awaitable[object]:
        """Remove every key that matches."""
        ...

    def invalidate_entity(self, entity: str, id_: str | int) -> Awaitable[object]:
        """Remove the keys that belong to an entity."""
        ...


class AfterCommit:
    """Collect what a transaction makes invalid."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._tags: dict[str, None] = {}
        self._patterns: dict[str, None] = {}
        self._entities: dict[tuple[str, str | int], None] = {}

    def delete(self, *keys: str) -> None:
        """Forget keys after the commit."""
        self._keys.update(dict.fromkeys(keys))

    def invalidate_tags(self, *tags: str) -> None:
        """Let every entry with one of the tags be invalid after the commit.

        Raises:
            ValueError: A tag is empty.
        """
        if not all(tags):
            raise ValueError("a tag must not be empty")
        self._tags.update(dict.fromkeys(tags))

    def invalidate_pattern(self, pattern: str) -> None:
        """Remove every key that matches after the commit.

        Raises:
            ValueError: The pattern is empty or ends in a lone backslash.
        """
        matcher(pattern)
        self._patterns[pattern] = None

    def invalidate_entity(self, entity: str, id_: str | int) -> None:
        """Remove the keys that belong to an entity after the commit."""
        self._entities[entity, id_] = None

    def __bool__(self) -> bool:
        """Whether anything was collected."""
        return bool(self._keys or self._tags or self._patterns or self._entities)

    def resolve(self, rules: InvalidationRules) -> None:
        """Turn entities into their keys.

        Raises:
            LookupError: There is no rule for one of them.
        """
        for entity, id_ in self._entities:
            keys, patterns = rules.affected(entity, id_)
            self.delete(*keys)
            self._patterns.update(dict.fromkeys(patterns))
        self._entities.clear()

    def packed(self) -> bytes:
        """Return what was collected and `resolve`d as bytes, for another process to do."""
        return msgspec.msgpack.encode((list(self._keys), list(self._tags), list(self._patterns)))

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Return what `packed` wrote."""
        keys, tags, patterns = _decoder.decode(data)
        collected = cls()
        collected.delete(*keys)
        collected.invalidate_tags(*tags)
        for pattern in patterns:
            collected.invalidate_pattern(pattern)
        return collected

    async def run(self, cache: Invalidating) -> None:
        """Do what was collected."""
        if self._keys:
            await cache.delete(*self._keys)
        if self._tags:
            await cache.invalidate_tags(*self._tags)
        for pattern in self._patterns:
            await cache.invalidate_pattern(pattern)
        for entity, id_ in self._entities:
            await cache.invalidate_entity(entity, id_)


_decoder = msgspec.msgpack.Decoder(tuple[list[str], list[str], list[str]])
