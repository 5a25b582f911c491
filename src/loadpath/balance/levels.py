"""How much traffic each priority gets, and which ones are in panic.

A level is good for its share of available endpoints times 1.4: it may lose 28 % of them before any
traffic leaves. What it cannot carry goes to the next level. When all levels together cannot carry
everything, a level with fewer than half of its endpoints available is in panic: it is handed out
as a whole, because the few that are left would fall one after the other.

Source: Envoy's priority levels, overprovisioning factor and panic threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FULL = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Load:
    """Say what one level gets.

    Attributes:
        share: Of the traffic (0-1).
        panic: Whether all of its endpoints are handed out, available or not.
    """

    share: float
    panic: bool


def loads(
    levels: Sequence[tuple[int, int]], *, overprovisioning: float = 1.4, panic: float = 0.5
) -> list[Load]:
    """Return what each level gets; the shares are 0 when nobody may serve.

    Args:
        levels: Available endpoints and all endpoints of each level, the first priority first.
        overprovisioning: Times its load that a level can carry; infinite: a level carries
            everything while one endpoint is left (nginx's `backup`).
        panic: Share of available endpoints below which a level can be in panic; 0 for never.
    """
    health = [_health(available, total, overprovisioning) for available, total in levels]
    together = min(1.0, sum(health))
    panics = [together < FULL and ratio(*level) < panic for level in levels]
    if all(panics):
        return _everybody(levels)
    shares, left = [], 1.0
    for each in health:
        share = min(left, each / together) if together else 0.0
        left -= share
        shares.append(share)
    return [Load(*each) for each in zip(shares, panics, strict=True)]


def ratio(available: int, total: int) -> float:
    """Return the share of available endpoints of a level, 0 for an empty one."""
    return available / total if total else 0.0


def _health(available: int, total: int, overprovisioning: float) -> float:
    return min(1.0, overprovisioning * available / total) if available else 0.0


def _everybody(levels: Sequence[tuple[int, int]]) -> list[Load]:
    """Spread over all endpoints; when none at all is available, the first level takes it."""
    endpoints = sum(total for _, total in levels)
    if not endpoints:
        return [Load(0.0, panic=True) for _ in levels]
    if any(available for available, _ in levels):
        return [Load(total / endpoints, panic=True) for _, total in levels]
    first = next(place for place, (_, total) in enumerate(levels) if total)
    return [Load(float(place == first), panic=True) for place in range(len(levels))]
