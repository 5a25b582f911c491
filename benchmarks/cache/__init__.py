"""The cache: hits in memory and on Valkey, hit ratios, a stampede, each against its peers.

`python -m benchmarks cache --trace FILE` replays a trace instead: what S3-FIFO hits, beside LRU.
"""

import asyncio
from pathlib import Path

from benchmarks.cache.hits import measured
from benchmarks.cache.ratios import compared, replayed
from benchmarks.cache.stampede import stampeded
from benchmarks.result import Result


def run() -> list[Result]:
    """Return every figure of the room."""
    return [*asyncio.run(measured()), *compared(), *asyncio.run(stampeded())]


def replay(trace: Path) -> list[Result]:
    """Return the hit ratios of a recorded trace."""
    return replayed(trace)
