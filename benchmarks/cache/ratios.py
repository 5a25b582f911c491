"""How often each policy hits: on power laws, scans, loops, drift, and recorded traces.

The peer is LRU, what most caches are: cachetools, functools, lru-cache, the guide. Figures are
points of hit ratio above it.
"""

from itertools import accumulate
from pathlib import Path
from random import Random

from benchmarks.cache.traces import read
from benchmarks.result import Result
from loadpath.cache.barriers import Barriers
from loadpath.cache.entry import Entry
from loadpath.cache.l1 import L1
from loadpath.cache.lru import Lru
from loadpath.cache.missing import MISSING
from loadpath.cache.s3fifo import S3Fifo
from loadpath.core.clock import SystemClock

UNIVERSE = 50_000
ACCESSES = 150_000
WARM = ACCESSES // 6
SIZES = (0.001, 0.01)
NEVER_WORSE = -0.3
CLEARLY_BETTER = 8.0


def compared() -> list[Result]:
    """Compare the policies on traces made here."""
    found = []
    for skew in (0.9, 1.0):
        trace = zipf(skew, seed=1)
        for share in SIZES:
            name = f"hit ratio, Zipf {skew}, {share:.1%} of the keys"
            found.append(points(name, trace, int(UNIVERSE * share), goal=CLEARLY_BETTER))
    for name, trace in (
        ("one-off scans", scanned(seed=2)),
        ("a repeated loop", looped(seed=3)),
        ("drifting popularity", drifting(seed=4)),
    ):
        for share in SIZES:
            entries = int(UNIVERSE * share)
            title = f"hit ratio, {name}, {share:.1%} of the keys"
            found.append(points(title, trace, entries, goal=NEVER_WORSE))
    return found


def replayed(path: Path) -> list[Result]:
    """Compare the policies on a recorded trace, with room for 0.1, 1 and 10 % of its keys."""
    trace = list(read(path))
    keys = len(set(trace))
    return [
        points(
            f"{path.name}: {len(trace):,} requests of {keys:,} keys, room for {share:.1%}",
            trace, max(1, int(keys * share)), goal=NEVER_WORSE,
        )
        for share in (0.001, 0.01, 0.1)
    ]  # fmt: skip


def points(name: str, trace: list[str], entries: int, *, goal: float) -> Result:
    """Return how many points S3-FIFO hits above LRU."""
    ours, plain = hit_ratio(S3Fifo, trace, entries), hit_ratio(Lru, trace, entries)
    return Result(
        name=f"{name}: S3-FIFO {ours:.1%}, LRU {plain:.1%}", ours=(ours - plain) * 100,
        unit="points above LRU", better="higher", goal=goal, goal_on="ours",
    )  # fmt: skip


def hit_ratio(policy: type[L1], trace: list[str], entries: int) -> float:
    """Return the share of hits after the first sixth, which warms the cache (0-1)."""
    layer = policy(SystemClock(), Barriers(), max_entries=entries, max_bytes=2**62)
    warm, hits_then = len(trace) // 6, 0
    for place, key in enumerate(trace):
        if place == warm:
            hits_then = layer.hits
        if layer.probe(key, MISSING) is MISSING:
            layer.put(key, Entry(None))
    return (layer.hits - hits_then) / max(1, len(trace) - warm)


def zipf(skew: float, *, seed: int, accesses: int = ACCESSES) -> list[str]:
    """Return accesses to keys by a power law."""
    chance = Random(seed)
    weights = list(accumulate((rank + 1) ** -skew for rank in range(UNIVERSE)))
    return [str(n) for n in chance.choices(range(UNIVERSE), cum_weights=weights, k=accesses)]


def scanned(*, seed: int) -> list[str]:
    """Return a power law with 30 % accesses to keys that never come back."""
    chance, trace = Random(seed + 100), zipf(0.99, seed=seed)
    return [f"once:{n}" if chance.random() < 0.3 else key for n, key in enumerate(trace)]


def looped(*, seed: int) -> list[str]:
    """Return a power law with 30 % accesses that walk round 7,500 keys."""
    chance, trace = Random(seed + 100), zipf(0.99, seed=seed)
    step, found = 0, []
    for key in trace:
        if chance.random() < 0.3:
            step += 1
            found.append(f"loop:{step % 7_500}")
        else:
            found.append(key)
    return found


def drifting(*, seed: int) -> list[str]:
    """Return a power law whose popular keys change all the time."""
    trace = zipf(1.0, seed=seed)
    return [str((int(key) + place // 500) % UNIVERSE) for place, key in enumerate(trace)]
