"""The timeline system: what the ring engine carries, and what reading a home timeline costs."""

from benchmarks.result import Result
from benchmarks.timeline import engine, read


def run() -> list[Result]:
    """Measure the engine, then the reads."""
    return [*engine.run(), *read.run()]
