"""Decide when bytes may leave a link, and what its weather is at a moment; pure.

A link carries bytes forward (from who connects to who listens) and back. Conditions hold for a
while; steps say when they change, so that a seed repeats a run.

Guide: "CAP 정리 실증 프로젝트" (the CAP theorem, shown).

Source: Toxiproxy's toxics (latency, bandwidth, slow_close, timeout, reset_peer).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

Direction = Literal["forward", "back"]
Cut = Literal["none", "forward", "back", "both"]

CUTS: Final[tuple[str, ...]] = get_args(Cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Say how a link carries bytes.

    Attributes:
        cut: Which way nothing passes: bytes wait, nobody is told.
        delay: Seconds that every byte takes, each way.
        jitter: Most seconds on top of it, drawn for each piece; pieces keep their order.
        bandwidth: Bytes per second, each way and connection; None for no limit.
        slow_close: Seconds that the end of a connection takes on top.
    """

    cut: Cut = "none"
    delay: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    slow_close: float = 0.0

    def __post_init__(self) -> None:
        if self.cut not in CUTS:
            raise ValueError(f"cut must be one of {', '.join(CUTS)}: {self.cut!r}")
        for name in ("delay", "jitter", "slow_close"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be seconds, 0 or more: {getattr(self, name)}")
        if self.bandwidth is not None and not 0 < self.bandwidth < math.inf:
            raise ValueError(f"bandwidth must be above 0 bytes/s, or None: {self.bandwidth}")

    def passes(self, direction: Direction) -> bool:
        """Return whether bytes pass this way."""
        return self.cut not in (direction, "both")


CALM: Final = Conditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Say what happens to a link at a moment.

    Attributes:
        at: Seconds after the start of the schedule.
        conditions: What holds from then on.
        reset: Whether the connections that pass are reset at that moment.
    """

    at: float
    conditions: Conditions = CALM
    reset: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.at < math.inf:
            raise ValueError(f"at must be seconds after the start, 0 or more: {self.at}")


class Pacer:
    """Give each piece of one direction of one connection its time of departure.

    Args:
        random: Draws the jitter.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sent = -math.inf
        self._last = -math.inf

    def departure(self, now: float, size: int, conditions: Conditions) -> float:
        """Return when `size` bytes that came at `now` may leave (s); never before earlier ones."""
        self._sent = max(now, self._sent)
        if conditions.bandwidth is not None:
            self._sent += size / conditions.bandwidth
        extra = self._random.random() * conditions.jitter if conditions.jitter else 0.0
        self._last = max(self._last, self._sent + conditions.delay + extra)
        return self._last


def random_steps(
    random: Random,
    faults: Sequence[Conditions],
    *,
    length: float,
    calm: tuple[float, float] = (1.0, 5.0),
    fault: tuple[float, float] = (5.0, 15.0),
) -> list[Step]:
    """Draw a schedule in which calm and faults take turns; it ends calm.

    Args:
        random: Its seed decides everything.
        faults: What to draw from.
        length: Seconds within which faults begin and end.
        calm: Shortest and longest calm (s).
        fault: Shortest and longest fault (s); the guide heals after 5 to 15 s.

    Raises:
        ValueError: There is nothing to draw from, or a range is none.
    """
    if not faults:
        raise ValueError("faults must name at least one condition to draw")
    for name, (shortest, longest) in (("calm", calm), ("fault", fault)):
        if not 0 < shortest <= longest < math.inf:
            raise ValueError(f"{name} must be two numbers of seconds, the shorter first")
    if not 0 <= length < math.inf:
        raise ValueError(f"length must be seconds, 0 or more: {length}")
    steps: list[Step] = []
    at = random.uniform(*calm)
    while at < length:
        end = min(at + random.uniform(*fault), length)
        steps += [Step(at=at, conditions=random.choice(faults)), Step(at=end)]
        at = end + random.uniform(*calm)
    return steps
