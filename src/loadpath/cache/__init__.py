"""Cache in memory and in Valkey: one factory call per key, nothing stale stored, nothing leaked.

Guide: chapter 5 "다층 캐싱 전략" (multi-layer caching).
"""

from loadpath.cache.backplane import TrackingBackplane, tracking
from loadpath.cache.commit import AfterCommit
from loadpath.cache.context import FillContext
from loadpath.cache.errors import (
    FactoryTimeoutError,
    KeyArgumentError,
    NotOpenError,
    NotStorableError,
    NotTrackingError,
    UndecodableError,
)
from loadpath.cache.memory import MemoryStore
from loadpath.cache.missing import MISSING
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.options import EntryOptions
from loadpath.cache.rules import InvalidationRules
from loadpath.cache.stats import CacheStats, L1Stats, L2Stats
from loadpath.cache.store import Store
from loadpath.cache.valkey import ValkeyStore

__all__ = [
    "MISSING",
    "AfterCommit",
    "CacheStats",
    "EntryOptions",
    "FactoryTimeoutError",
    "FillContext",
    "InvalidationRules",
    "KeyArgumentError",
    "L1Stats",
    "L2Stats",
    "MemoryStore",
    "MultiLayerCache",
    "NotOpenError",
    "NotStorableError",
    "NotTrackingError",
    "Store",
    "TrackingBackplane",
    "UndecodableError",
    "ValkeyStore",
    "tracking",
]
