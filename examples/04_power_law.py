"""Why fan-out is about its tail: a power-law graph, made here: `python examples/04_power_law.py`.

Most authors have a few dozen followers, a handful are followed by a fifth of everybody. The mean
says how much fan-out work there is; the tail says how long a timeline waits for it.
"""

import time

import numpy as np

from loadpath.systems.timeline.load.arrivals import Arrivals, slices
from loadpath.systems.timeline.load.population import Population, chunks

ENGINE = 1_500_000.0  # inserts per second that a writer is allowed to use, 1.25 times the mean


def followers_per_author(population: Population) -> np.ndarray:
    """Count everybody's followers while the graph streams by: it is never in memory whole."""
    degrees = np.zeros(population.users + 1, np.int64)
    began = time.perf_counter()
    for chunk in chunks(population):
        degrees += np.bincount(chunk.followees, minlength=population.users + 1)
    edges = int(degrees.sum())
    seconds = time.perf_counter() - began
    print(f"{population.users:,} users, {edges:,} follows in {seconds:.1f} s")
    return degrees[1:]


def waits(work: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return how long each post's last follower waits for it, posts being served in order (s)."""
    service = work / ENGINE
    done = np.maximum.accumulate(at - np.concatenate([[0.0], np.cumsum(service)[:-1]]))
    return done + np.cumsum(service) - at


def main() -> None:
    """Make a graph, let its users post at the guide's rate, and look at who has to wait."""
    population = Population(users=50_000, followers=200, seed=7)
    followers = np.sort(followers_per_author(population))
    half, most = np.searchsorted(np.cumsum(followers), followers.sum() / 2), followers[-1]
    print(
        f"median {followers[len(followers) // 2]:,} followers, mean {followers.mean():,.0f}, ",
        end="",
    )
    print(f"largest {most:,}; the top {1 - half / len(followers):.1%} have half of all followers")

    arrivals = Arrivals(posts=6_000, reads=0, seconds=20, seed=7)
    pieces = list(slices(arrivals))
    at = np.concatenate([piece.at for piece in pieces])
    draws = np.concatenate([piece.draw for piece in pieces])
    work = followers[(draws * len(followers)).astype(np.int64)]
    print(f"{len(at):,} posts in {arrivals.seconds:.0f} s ask for {work.sum() / 20:,.0f} inserts/s")
    for label, inserts in (
        ("everything pushed", work),
        ("authors above 2,000 followers read on demand", np.where(work > 2_000, 0, work)),
    ):
        p50, p99 = np.quantile(waits(inserts, at), [0.5, 0.99]) * 1e3
        print(f"{label}: lag p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    main()
