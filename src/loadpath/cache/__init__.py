"""Cache in memory and in Valkey: one factory call per key, nothing stale stored, nothing leaked.

Guide: chapter 5 "다층 캐싱 전략" (multi-layer caching).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loadpath.cache.coalesce import Write
from loadpath.cache.commit import AfterCommit
from loadpath.cache.context import FillContext
from loadpath.cache.errors import (
    DatabaseInDoubtError,
    DatabaseUnavailableError,
    ExtraMissingError,
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
from loadpath.cache.plans import (
    ACTIVE_USERS,
    GUIDE_PLANS,
    WarmPlan,
    warm_popular,
    warm_predicted,
)
from loadpath.cache.popular import PopularKeys
from loadpath.cache.queue import Queued, WriteQueue
from loadpath.cache.rules import InvalidationRules
from loadpath.cache.stats import CacheStats, L1Stats, L2Stats, WriteBehindStats
from loadpath.cache.store import Store
from loadpath.cache.successions import Successions
from loadpath.cache.warm import WarmReport, warm
from loadpath.cache.windows import HitRatios

if TYPE_CHECKING:
    from loadpath.cache.announcing import AnnouncedBackplane, AnnouncingStore
    from loadpath.cache.backplane import TrackingBackplane, tracking
    from loadpath.cache.outbox import InvalidationOutbox
    from loadpath.cache.postgres_queue import PostgresQueue
    from loadpath.cache.schedule import (
        EVERY_HOUR,
        EVERY_NIGHT,
        ScheduledWarmup,
        ScheduleSnapshot,
        WarmupSchedule,
    )
    from loadpath.cache.stream_queue import StreamQueue
    from loadpath.cache.valkey import ValkeyStore
    from loadpath.cache.write_behind import WriteBehind

_EXTRAS = {
    "AnnouncedBackplane": "loadpath.cache.announcing",
    "AnnouncingStore": "loadpath.cache.announcing",
    "EVERY_HOUR": "loadpath.cache.schedule",
    "EVERY_NIGHT": "loadpath.cache.schedule",
    "InvalidationOutbox": "loadpath.cache.outbox",
    "PostgresQueue": "loadpath.cache.postgres_queue",
    "ScheduleSnapshot": "loadpath.cache.schedule",
    "ScheduledWarmup": "loadpath.cache.schedule",
    "StreamQueue": "loadpath.cache.stream_queue",
    "TrackingBackplane": "loadpath.cache.backplane",
    "ValkeyStore": "loadpath.cache.valkey",
    "WarmupSchedule": "loadpath.cache.schedule",
    "WriteBehind": "loadpath.cache.write_behind",
    "tracking": "loadpath.cache.backplane",
}

__all__ = [
    "ACTIVE_USERS",
    "EVERY_HOUR",
    "EVERY_NIGHT",
    "GUIDE_PLANS",
    "MISSING",
    "AfterCommit",
    "AnnouncedBackplane",
    "AnnouncingStore",
    "CacheStats",
    "DatabaseInDoubtError",
    "DatabaseUnavailableError",
    "EntryOptions",
    "ExtraMissingError",
    "FactoryTimeoutError",
    "FillContext",
    "HitRatios",
    "InvalidationOutbox",
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
    "PostgresQueue",
    "Queued",
    "ScheduleSnapshot",
    "ScheduledWarmup",
    "Store",
    "StreamQueue",
    "Successions",
    "TooManyWritesError",
    "TrackingBackplane",
    "UndecodableError",
    "ValkeyStore",
    "WarmPlan",
    "WarmReport",
    "WarmupSchedule",
    "Write",
    "WriteBehind",
    "WriteBehindStats",
    "WriteQueue",
    "tracking",
    "warm",
    "warm_popular",
    "warm_predicted",
]


def __getattr__(name: str) -> Any:
    """Import what needs an extra when it is asked for."""
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXTRAS[name]), name)
