"""How long a value is good for and what happens when getting a new one takes long or fails."""

from dataclasses import dataclass, replace
from math import inf
from typing import Any

_SECONDS = ("stale_for", "fail_safe_for", "fail_safe_throttle", "jitter")
_TIMEOUTS = ("factory_soft_timeout", "factory_hard_timeout", "negative_ttl")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions:
    """Say how an entry is kept; of a cache, and of an entry where it differs.

    Attributes:
        l1_ttl: How long it is fresh in memory (s); never longer than in L2.
        l2_ttl: How long it is fresh in the shared layer (s).
        jitter: Share of a ttl that is taken away at random (0-1), so that entries written together
            do not expire together.
        negative_ttl: How long a None is fresh, in both layers (s); None: like any value, 0: a None
            is not stored.
        stale_for: How long after its ttl a value is served at once while a new one is fetched (s).
        fail_safe_for: How long after its ttl a value is served when the factory fails (s).
        fail_safe_throttle: How long the factory is left alone after that (s).
        eager: Share of the ttl after which a hit fetches a new value ahead (0-1), None: never.
        factory_soft_timeout: How long a caller waits for the factory when a value past its ttl
            could be served (s); the factory goes on.
        factory_hard_timeout: When the factory is cancelled (s).
        lease: How long a process that fills a key is trusted to be alive without a sign (s).
        size: Bytes that the entry counts for in memory; None: as long as it is encoded.
        tags: What invalidates the entry besides its key.
    """

    l1_ttl: float = 300.0
    l2_ttl: float = 3600.0
    jitter: float = 0.0
    negative_ttl: float | None = None
    stale_for: float = 0.0
    fail_safe_for: float = 0.0
    fail_safe_throttle: float = 30.0
    eager: float | None = None
    factory_soft_timeout: float | None = None
    factory_hard_timeout: float | None = None
    lease: float = 5.0
    size: int | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("l1_ttl", "l2_ttl", "lease"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} must be above 0 s and finite, not {getattr(self, name)}")
        for name in _SECONDS:
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name} must be at least 0 and finite, not {getattr(self, name)}")
        for name in _TIMEOUTS:
            given = getattr(self, name)
            if given is not None and not 0 <= given < inf:
                raise ValueError(f"{name} must be None or at least 0 s and finite, not {given}")
        if self.jitter > 1 or (self.eager is not None and not 0 < self.eager < 1):
            raise ValueError(f"jitter must be 0-1, eager above 0 and below 1 or None: {self}")
        if self.size is not None and self.size < 0:
            raise ValueError(f"size must be at least 0 bytes, not {self.size}")
        _check_tags(self.tags)

    @property
    def grace(self) -> float:
        """How long after its ttl a value may still be of use (s)."""
        return max(self.stale_for, self.fail_safe_for)

    def with_tags(self, tags: tuple[str, ...]) -> "EntryOptions":
        """Return the same options with other tags."""
        return self if tags == self.tags else replace(self, tags=tags)

    def ttls(self, value: object, chance: float) -> tuple[float, float]:
        """Return for how long a value is fresh in L1 and in L2 (s); 0: not to be stored.

        Args:
            value: The value; None may have a ttl of its own.
            chance: A random number, 0-1, for the jitter.
        """
        l1, l2 = self.l1_ttl, self.l2_ttl
        if value is None and self.negative_ttl is not None:
            l1 = l2 = self.negative_ttl
        left = 1 - self.jitter * chance
        return min(l1, l2) * left, l2 * left


def _check_tags(tags: Any) -> None:
    if not isinstance(tags, tuple) or not all(isinstance(tag, str) and tag for tag in tags):
        raise ValueError(f"tags must be a tuple of texts that are not empty, not {tags!r}")
