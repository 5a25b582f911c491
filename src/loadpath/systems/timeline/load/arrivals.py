"""When requests arrive: a Poisson schedule fixed beforehand, blind to how fast answers come.

Users do not wait for each other, so an open loop is what a service meets. A generator that sends
the next request after the last answer slows down with the service and hides its worst moments
(coordinated omission); here lateness counts from the scheduled moment.

Source: Gil Tene, "How NOT to measure latency", 2015; Schroeder et al., "Open versus closed: a
cautionary tale", NSDI 2006.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_RATE: Final = 1_000_000.0
MOST_SECONDS: Final = 604_800.0
MOST_POSTS: Final = 100_000_000.0
"""Posts of one run: the id of each is kept until it was looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Describe a mixed load; the same description always makes the same schedule.

    Attributes:
        posts: Posts offered per second, on average.
        reads: Timeline reads offered per second, on average.
        seconds: How long the schedule is (s).
        seed: Picks one schedule.
    """

    posts: float
    reads: float
    seconds: float
    seed: int = 1

    def __post_init__(self) -> None:
        for name, rate in (("posts", self.posts), ("reads", self.reads)):
            if not 0 <= rate <= MOST_RATE:  # what is no number fails this, too
                raise ValueError(f"{name} must be 0 to {MOST_RATE:,.0f} per second, not {rate:g}")
        if not self.rate:
            raise ValueError("posts and reads must not both be 0 per second")
        if not 0 < self.seconds <= MOST_SECONDS:
            raise ValueError(
                f"seconds must be above 0 and at most {MOST_SECONDS:,.0f}, a week, "
                f"not {self.seconds:g}"
            )
        if self.posts * self.seconds > MOST_POSTS:
            raise ValueError(
                f"posts times seconds must be at most {MOST_POSTS:,.0f}, "
                f"not {self.posts * self.seconds:,.0f}: each is kept until it was looked up"
            )
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")

    @property
    def rate(self) -> float:
        """Requests offered per second."""
        return self.posts + self.reads


@dataclass(frozen=True, slots=True)
class Slice:
    """Hold what arrives within one second of the schedule.

    Attributes:
        at: Scheduled moments, ascending (s from the start).
        is_post: Whether each is a post, else a read.
        draw: A uniform number each (0-1), to pick the user with.
    """

    at: NDArray[np.float64]
    is_post: NDArray[np.bool_]
    draw: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.at)


def slices(arrivals: Arrivals) -> Iterator[Slice]:
    """Yield the schedule second by second, so that hours of it take no memory."""
    second = 0
    while second < arrivals.seconds:
        length = min(1.0, arrivals.seconds - second)
        rng = np.random.default_rng([arrivals.seed, second])
        count = int(rng.poisson(arrivals.rate * length))
        at = second + np.sort(rng.random(count)) * length  # a Poisson process, given its count
        is_post = rng.random(count) < arrivals.posts / arrivals.rate
        yield Slice(at, is_post, rng.random(count))
        second += 1
