"""Patterns around a call in the order in which they are written, the outermost first.

`Pipeline(Timeout(2.0), Retry(…), breaker, Bulkhead(10), Timeout(0.5))` bounds the whole by 2 s,
repeats within that, asks the breaker before each try, and bounds each try by 0.5 s. Nothing is
reordered; only orders that cannot mean anything are refused.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from loadpath.resilience.breaker.shell import CircuitBreaker
from loadpath.resilience.fallback.shell import Fallback
from loadpath.resilience.retry.shell import Retry
from loadpath.resilience.stage import P, Stage, T


class PipelineSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the figures of a pipeline.

    Attributes:
        stages: Those of its stages, the outermost first.
    """

    stages: tuple[msgspec.Struct, ...]


class Pipeline(Stage):
    """Run calls under several patterns.

    Args:
        stages: The patterns, the outermost first; a pipeline may be one of them.

    Raises:
        TypeError: One of them is no pattern.
        ValueError: There is none, or the order cannot mean anything.
    """

    __slots__ = ("_first", "_rest", "stages")

    def __init__(self, *stages: Stage) -> None:
        for stage in stages:
            if not isinstance(stage, Stage):
                raise TypeError(f"{stage!r} is no pattern: give one such as Timeout(2.0)")
        self.stages: tuple[Stage, ...] = tuple(_flat(stages))
        _check(self.stages)
        self._first: Callable[..., Awaitable[Any]] = self.stages[0].call
        self._rest = tuple(stage.call for stage in self.stages[1:])

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns, run under every stage.

        Raises:
            Exception: What the outermost stage raises.
        """
        # A stage calls the next one as it would call the function itself.
        result: T = await self._first(*self._rest, function, *args, **kwargs)
        return result

    def snapshot(self) -> PipelineSnapshot:
        """Return the figures of this moment."""
        return PipelineSnapshot(stages=tuple(stage.snapshot() for stage in self.stages))


def _flat(stages: tuple[Stage, ...]) -> list[Stage]:
    flat: list[Stage] = []
    for stage in stages:
        flat += stage.stages if isinstance(stage, Pipeline) else [stage]
    return flat


def _check(stages: tuple[Stage, ...]) -> None:
    if not stages:
        raise ValueError("a pipeline needs at least one stage")
    if len(set(map(id, stages))) < len(stages):
        raise ValueError("a stage is there twice, so one call would count twice: make two of them")
    if sum(isinstance(stage, Retry) for stage in stages) > 1:
        raise ValueError("two retries multiply their tries: keep one of them")
    learners = [stage for stage in stages if isinstance(stage, Retry | CircuitBreaker)]
    for place, stage in enumerate(stages):
        outside = [each for each in stages[:place] if each in learners]
        if isinstance(stage, Fallback) and stage.catches_all and outside:
            raise ValueError(
                f"{type(outside[0]).__name__} would never see an error, because a Fallback inside "
                "answers all of them: put the Fallback outside, or let it answer some errors only"
            )
