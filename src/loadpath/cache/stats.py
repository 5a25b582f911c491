"""What a cache counts, layer by layer. Counts are exact and cost a hit one addition."""

import msgspec

from loadpath.cache.windows import HitRatios
from loadpath.core.histogram import HistogramSnapshot


class L1Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what the memory layer did.

    Attributes:
        entries: Entries held now.
        bytes: Bytes that they count for.
        hits: Reads answered by a fresh value.
        misses: Reads that were not.
        evictions: Entries that left because the layer was full.
        expired: Entries found too old to be served.
        refusals: Entries larger than the whole layer.
        lately: Hit ratios of the last minute, five minutes and hour.
    """

    entries: int
    bytes: int
    hits: int
    misses: int
    evictions: int
    expired: int
    refusals: int
    lately: HitRatios

    @property
    def hit_ratio(self) -> float:
        """Share of reads that hit (0-1), 0 without reads."""
        return self.hits / max(1, self.hits + self.misses)


class L2Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what the shared layer did for this process.

    Attributes:
        hits: Reads answered by a fresh value.
        misses: Reads that were not.
        garbage: Of the misses, those whose data could not be decoded.
        stale: Of the misses, those that found a value past its ttl.
        invalid: Of the misses, those whose tags were invalidated.
        failures: Operations that failed or took too long.
        refusals: Operations that the guard did not let through, or that waited for recovery.
        waiting: Invalidations kept for when the layer is back.
        distrusted: Whether reads pass the layer by until those are done.
        lately: Hit ratios of the last minute, five minutes and hour.
        latency: How long reads took (s), one of sixteen.
    """

    hits: int
    misses: int
    garbage: int
    stale: int
    invalid: int
    failures: int
    refusals: int
    waiting: int
    distrusted: bool
    lately: HitRatios
    latency: HistogramSnapshot

    @property
    def hit_ratio(self) -> float:
        """Share of reads that hit (0-1), 0 without reads."""
        return self.hits / max(1, self.hits + self.misses)


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what a cache did since it was made.

    Attributes:
        l1: The memory layer, None when there is none.
        l2: The shared layer, None when there is none.
        factory_calls: Factories called.
        factory_errors: Factories that raised or took too long.
        stale_served: Answers with a value past its ttl.
        stores_refused: Values not stored because their key was invalidated meanwhile.
        filling: Keys being filled now.
        factory_latency: How long factories took that returned a value (s).
    """

    l1: L1Stats | None
    l2: L2Stats | None
    factory_calls: int
    factory_errors: int
    stale_served: int
    stores_refused: int
    filling: int
    factory_latency: HistogramSnapshot


class WriteBehindStats(msgspec.Struct, frozen=True, kw_only=True):
    """Count what a `WriteBehind` did since it was made.

    Attributes:
        queued: Writes acknowledged.
        applied: Writes that the database took from here.
        coalesced: Writes that a later one of the same key made superfluous.
        buried: Writes that became dead letters.
        failures: Tries that failed and are repeated.
    """

    queued: int
    applied: int
    coalesced: int
    buried: int
    failures: int
