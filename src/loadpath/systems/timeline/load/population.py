"""A follower graph with the shape of a social network, of any size, from a seed.

Followers per author follow a truncated Pareto law: most have a few dozen, some have a large
share of everybody. Each follower draws a Poisson number of authors from that law, so the graph is
made follower by follower, in bounded memory, and each chunk leaves here sorted.

With `rate_a = -log(1 - followers_a / users)`, an author who is drawn with that rate by every user
is followed by `followers_a` of them on average, repeated draws already dropped.

Guide: chapter "large systems", the Twitter-like system (200 followers on average).
Source: the power law of follower counts, Kwak et al., "What is Twitter, a social network or a
news media?", WWW 2010; Poisson thinning makes it a Chung-Lu random graph.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TABLE_SLOTS_PER_USER = 16
DRAWS_PER_CHUNK = 1_000_000
APPETITE_SHAPE = 4.0  # of the gamma law of how many accounts one user follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Describe a graph; the same description always makes the same graph.

    Attributes:
        users: How many users there are; their ids are 1..users.
        followers: Wanted average of followers per user.
        seed: Picks one graph of this size.
        alpha: Exponent of the Pareto law; smaller is more unequal.
        celebrity: Largest share of all users that may follow one author (0-1).
    """

    users: int = 200_000
    followers: float = 200.0
    seed: int = 1
    alpha: float = 1.5
    celebrity: float = 0.25

    def __post_init__(self) -> None:
        if not 2 <= self.users <= 1_000_000_000:  # noqa: PLR2004 - ids are 32-bit integers
            raise ValueError(f"users must be between 2 and 1,000,000,000, not {self.users}")
        if not 0 < self.followers <= (self.users - 1) / 2:
            raise ValueError(
                f"followers must be above 0 and at most half of the other users, "
                f"{(self.users - 1) / 2:g}, not {self.followers:g}"
            )
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if not 1 < self.alpha < math.inf:
            raise ValueError(f"alpha must be above 1 (a mean must exist), not {self.alpha:g}")
        if not 0 < self.celebrity <= 1:
            raise ValueError(f"celebrity must be a share above 0, at most 1, not {self.celebrity}")

    @property
    def edges(self) -> int:
        """Roughly how many edges the graph has."""
        return round(self.users * self.followers)


@dataclass(frozen=True, slots=True)
class Edges:
    """Hold one chunk of the graph: sorted, without repeats or self-follows.

    Attributes:
        followers: Who follows (int32 ids).
        followees: Who is followed (int32 ids).
        last: Every edge of users up to this id has been yielded with this chunk.
    """

    followers: NDArray[np.int32]
    followees: NDArray[np.int32]
    last: int

    def __len__(self) -> int:
        return len(self.followers)


def chunks(population: Population) -> Iterator[Edges]:
    """Yield the graph in chunks, ordered by (follower, followee) within and across them."""
    table, draws_per_user = _author_table(population)
    step = max(1, int(DRAWS_PER_CHUNK / draws_per_user))
    for first in range(1, population.users + 1, step):
        last = min(first + step - 1, population.users)
        yield _chunk(population, table, draws_per_user, first, last)


def wanted_followers(population: Population) -> NDArray[np.float64]:
    """Return each user's expected followers, in id order."""
    cap = _cap(population)
    low = _pareto_minimum(population.followers, cap, population.alpha)
    uniform = (np.arange(population.users) + 0.5) / population.users
    tail = 1 - uniform * (1 - (low / cap) ** population.alpha)
    followers: NDArray[np.float64] = low * tail ** (-1 / population.alpha)
    rng = np.random.default_rng([population.seed, 0])
    rng.shuffle(followers)
    return followers


def _cap(population: Population) -> float:
    """Return the most followers an author may have: tiny graphs need room above the mean."""
    others = population.users - 1
    return min(
        float(others), max(population.celebrity * population.users, population.followers * 2)
    )


def _pareto_minimum(mean: float, cap: float, alpha: float) -> float:
    """Find the smallest value of the truncated Pareto law that has this mean, by bisection."""
    low, high = 0.0, mean
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _pareto_mean(middle, cap, alpha) < mean:
            low = middle
        else:
            high = middle
    return high


def _pareto_mean(low: float, cap: float, alpha: float) -> float:
    ratio = low / cap
    return (
        alpha * low / (alpha - 1) * (1 - math.pow(ratio, alpha - 1)) / (1 - math.pow(ratio, alpha))
    )


def _author_table(population: Population) -> tuple[NDArray[np.int32], float]:
    """Build a table whose uniform draw is an author by popularity, and the draws per user."""
    rates = -np.log1p(-wanted_followers(population) / population.users)
    bits = int(np.ceil(np.log2(population.users * TABLE_SLOTS_PER_USER)))
    edges = np.round(np.cumsum(rates) / rates.sum() * (1 << bits)).astype(np.int64)
    slots = np.diff(edges, prepend=0)
    ids = np.arange(1, population.users + 1, dtype=np.int32)
    return np.repeat(ids, slots), float(rates.sum())


def _chunk(
    population: Population, table: NDArray[np.int32], draws: float, first: int, last: int
) -> Edges:
    rng = np.random.default_rng([population.seed, 1, first])
    appetite = rng.gamma(APPETITE_SHAPE, draws / APPETITE_SHAPE, last - first + 1)
    counts = rng.poisson(appetite)
    users = np.arange(first, last + 1, dtype=np.int64)
    keys = np.repeat(users << 32, counts)
    keys |= table[rng.integers(0, len(table), len(keys), dtype=np.uint32)]
    keys.sort()
    followers = (keys >> 32).astype(np.int32)
    followees = keys.astype(np.int32)  # the low half
    keep = followers != followees
    keep[1:] &= keys[1:] != keys[:-1]
    return Edges(followers[keep], followees[keep], last)
