"""Cache in memory and in Valkey: one factory call per key, nothing stale stored, nothing leaked.

Guide: chapter 5 "다층 캐싱 전략" (multi-layer caching).
"""

from loadpath.cache.backplane import TrackingBackplane, tracking
from loadpath.cache.coalesce import Write
from loadpath.cache.commit import AfterCommit
from loadpath.cache.context import FillContext
from loadpath.cache.errors import (
    FactoryTimeoutError,
    KeyArgumentError,
    NotOpenError,
    NotStorableError,
    NotTrackingError,
    TooManyWritesError,
    UndecodableError,
)
from loadpath.cache.memory import MemoryStore
from loadpath.cache.missing import MISSING
from loadpath.cache.multilayer import MultiLayerCache
from loadpath.cache.options import EntryOptions
from loadpath.cache.popular import PopularKeys
from loadpath.cache.rules import InvalidationRules
from loadpath.cache.stats import CacheStats, L1Stats, L2Stats, WriteBehindStats
from loadpath.cache.store import Store
from loadpath.cache.successions import Successions
from loadpath.cache.valkey import ValkeyStore
from loadpath.cache.warm import WarmReport, warm
from loadpath.cache.write_behind import WriteBehind

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
    "PopularKeys",
    "Store",
    "Successions",
    "TooManyWritesError",
    "TrackingBackplane",
    "UndecodableError",
    "ValkeyStore",
    "WarmReport",
    "Write",
    "WriteBehind",
    "WriteBehindStats",
    "tracking",
    "warm",
]
