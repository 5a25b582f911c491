"""The guide's caches in Python, statement by statement.

Guide: chapter 5, `MultiLayerCache`, `CacheInvalidationStrategy`, `CacheWarmupStrategy`,
`CacheManager`. `Date.now()` is the clock that is handed in; `lru-cache` and `ioredis` do what their
documentation says of the calls that the guide makes. What the guide logs is left out.
"""

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from loadpath.core.clock import Clock
from loadpath.resp import RespClient
from tests.guide.as_written.timeline import Process

Item = dict[str, Any]


class LRUCache:
    """Stand in for the package `lru-cache` with `ttl` and `updateAgeOnGet`."""

    def __init__(self, max_: int, ttl: float, clock: Clock) -> None:
        self._items: OrderedDict[str, tuple[float, Item]] = OrderedDict()
        self._max = max_
        self._ttl = ttl
        self._clock = clock

    def get(self, key: str) -> Item | None:
        """Return an item and make it young again."""
        if key not in self._items:
            return None
        began, item = self._items[key]
        if self._clock.time() - began > self._ttl:
            del self._items[key]
            return None
        self.set(key, item)
        return item

    def set(self, key: str, item: Item) -> None:
        """Hold an item; the least recently used leaves."""
        self._items[key] = (self._clock.time(), item)
        self._items.move_to_end(key)
        if len(self._items) > self._max:
            self._items.popitem(last=False)

    def delete(self, key: str) -> None:
        """Forget an item."""
        self._items.pop(key, None)

    def names(self) -> list[str]:
        """Return the keys."""
        return list(self._items)


class MultiLayerCache:
    """`MultiLayerCache`, with times in seconds."""

    def __init__(self, redis: RespClient, clock: Clock) -> None:
        self._l1_ttl = 300.0
        self._l2_ttl = 3600.0
        self._prefix = "cache:"
        self._l1 = LRUCache(1_000, self._l1_ttl, clock)
        self._redis = redis
        self._clock = clock

    async def get(self, key: str) -> Any:
        """`get`."""
        l1_item = self._l1.get(key)
        if l1_item and not self._is_expired(l1_item):
            return l1_item["value"]
        l2_value: Any = await self._redis.execute("GET", self._prefix + key)
        if l2_value:
            item: Item = json.loads(l2_value)
            if not self._is_expired(item):
                self._l1.set(key, item)
                return item["value"]
            await self._redis.execute("DEL", self._prefix + key)
        return None

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """`set`."""
        item = {"value": value, "timestamp": self._clock.time(), "ttl": ttl or self._l1_ttl}
        self._l1.set(key, item)
        l2_ttl = int(ttl or self._l2_ttl)
        await self._redis.execute("SETEX", self._prefix + key, l2_ttl, json.dumps(item))

    async def invalidate_pattern(self, pattern: str) -> None:
        """`invalidatePattern`."""
        for key in self._l1.names():
            if self._matches_pattern(key, pattern):
                self._l1.delete(key)
        keys: Any = await self._redis.execute("KEYS", self._prefix + pattern)
        if keys:
            await self._redis.execute("DEL", *keys)

    async def warmup(self, pairs: Sequence[tuple[str, Any, float]]) -> None:
        """`warmup`."""
        await asyncio.gather(*(self.set(key, value, ttl) for key, value, ttl in pairs))

    def get_stats(self) -> dict[str, Any]:
        """`getStats`."""
        return {"l1": {"hitRate": self._calculate_hit_rate()}}

    def _is_expired(self, item: Item) -> bool:
        return bool(self._clock.time() - item["timestamp"] > item["ttl"])

    def _matches_pattern(self, key: str, pattern: str) -> bool:
        return re.search(pattern.replace("*", ".*"), key) is not None

    def _calculate_hit_rate(self) -> float:
        return 0.85


class CacheInvalidationStrategy:
    """`CacheInvalidationStrategy`."""

    def __init__(self, cache: MultiLayerCache) -> None:
        self._cache = cache
        self._rules: dict[str, Sequence[str]] = {}

    def register_rule(self, entity_type: str, cache_keys: Sequence[str]) -> None:
        """`registerRule`."""
        self._rules[entity_type] = cache_keys

    async def invalidate_on_entity_change(self, entity_type: str, entity_id: str) -> None:
        """`invalidateOnEntityChange`."""
        rules = self._rules.get(entity_type)
        if rules:
            patterns = [rule.replace("{id}", entity_id, 1) for rule in rules]
            await asyncio.gather(*map(self._cache.invalidate_pattern, patterns))

    async def invalidate_by_time(self, ttl: float) -> None:
        """`invalidateByTime`: only logs."""


class CacheWarmupStrategy:
    """`CacheWarmupStrategy`, its predictive part; the source answers as the test says."""

    def __init__(self, cache: MultiLayerCache, data_source: Any) -> None:
        self._cache = cache
        self._source = data_source

    async def predictive_warmup(self, user_id: str) -> None:
        """`predictiveWarmup`: reads the behaviour and does not use it."""
        await self._source.get_user_behavior(user_id)
        recommended = await self._source.get_recommendations(user_id)
        await self._cache.warmup(
            [(f"recommendation:{user_id}:{p['id']}", p, 1_800.0) for p in recommended]
        )


class CacheManager:
    """`CacheManager`."""

    def __init__(
        self,
        redis: RespClient,
        process: Process,
        save_to_database: Callable[[str, Any], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self._process = process
        self._save = save_to_database
        self._ttl = 3600

    async def get(self, key: str) -> Any:
        """`get`."""
        cached: Any = await self._redis.execute("GET", key)
        return json.loads(cached) if cached else None

    async def set(self, key: str, value: Any) -> None:
        """`set`."""
        await self._redis.execute("SETEX", key, self._ttl, json.dumps(value))

    async def write_behind(self, key: str, value: Any) -> None:
        """`writeBehind`."""
        await self.set(key, value)

        async def save() -> None:
            await self._save(key, value)

        self._process.set_immediate(lambda: self._process.start(save()))

    async def get_or_set(self, key: str, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """`getOrSet`."""
        value = await self.get(key)
        if value is None:
            value = await fetch()
            if value is not None:
                await self.set(key, value)
        return value
