"""The small parts that sit on every request: ids, latency histogram, averages, windows.

CPU nanoseconds of one operation, the loop around it included on both sides. Rounds of ours and
the peer's alternate, and the median is told. hdrhistogram gets whole microseconds and two digits,
which is the 1 % that ours gets; its `add` runs in C, so the goal there is to stay within a factor.
"""

import time
from collections.abc import Callable
from random import Random
from statistics import median

from hdrh.histogram import HdrHistogram
from snowflake import SnowflakeGenerator

from benchmarks.result import Result
from loadpath.core.ewma import Ewma, PeakEwma
from loadpath.core.histogram import Histogram
from loadpath.core.ids import SnowflakeIds
from loadpath.core.rolling import CountWindow, TimeWindow
from loadpath.testing import FakeClock

ROUNDS = 15
OPERATIONS = 20_000
SECONDS = [Random(1).lognormvariate(-5, 1) for _ in range(OPERATIONS)]
MICROSECONDS = [round(seconds * 1e6) for seconds in SECONDS]
MOMENTS = [n * 0.0007 for n in range(OPERATIONS)]
RATIOS = (0.5, 0.9, 0.99, 0.999, 1.0)

Work = Callable[[], int]


def nanoseconds(*works: Work) -> list[float]:
    """Return the CPU time of one operation of each work; a work returns how many it did."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, spent, strict=True):
            start = time.process_time_ns()
            done = work()
            times.append((time.process_time_ns() - start) / done)
    return [median(times) for times in spent]


def run() -> list[Result]:
    """Return every figure of the room."""
    return [
        against("an id", draw(), draw_peer(), peer="snowflake-id", goal=1.2),
        alone("an id in a new millisecond", draw_in_new_milliseconds(), goal=2_000),
        against("record a latency", record(), record_peer(), peer="hdrhistogram", goal=2.5),
        against("five percentiles", read(), read_peer(), peer="hdrhistogram", goal=2.5),
        against("merge two histograms", merge(), merge_peer(), peer="hdrhistogram", goal=0.2),
        alone("update an EWMA", update(Ewma(10.0)), goal=1_000),
        alone("update a peak-EWMA", update(PeakEwma(10.0)), goal=1_000),
        alone("count in the last 100 records", count_records(), goal=1_000),
        alone("count in the last 10 s", count_seconds(), goal=1_000),
    ]


def against(name: str, ours: Work, theirs: Work, *, peer: str, goal: float) -> Result:
    """Measure ours beside the peer's."""
    our_time, peer_time = nanoseconds(ours, theirs)
    return Result(
        name=name,
        ours=our_time,
        unit="ns CPU",
        better="lower",
        goal=goal,
        peer_name=peer,
        peer=peer_time,
    )


def alone(name: str, ours: Work, *, goal: float) -> Result:
    """Measure what no peer offers in this shape, against a limit of its own."""
    (spent,) = nanoseconds(ours)
    return Result(name=name, ours=spent, unit="ns CPU", better="lower", goal=goal, goal_on="ours")


def draw() -> Work:
    """Draw ids one by one."""
    ids = SnowflakeIds(1)

    def work() -> int:
        for _ in range(OPERATIONS):
            ids.next()
        return OPERATIONS

    return work


def draw_peer() -> Work:
    """Draw ids one by one; the peer gives None when a millisecond is used up."""
    ids = SnowflakeGenerator(1)

    def work() -> int:
        for _ in range(OPERATIONS):
            next(ids)
        return OPERATIONS

    return work


def draw_in_new_milliseconds() -> Work:
    """Draw ids so rarely that each is the first of its millisecond."""
    clock = FakeClock()
    ids = SnowflakeIds(1, clock=clock)

    def work() -> int:
        for _ in range(OPERATIONS):
            clock.advance(0.002)
            ids.next()
        return OPERATIONS

    return work


def record() -> Work:
    """Record latencies."""
    histogram = Histogram()

    def work() -> int:
        for seconds in SECONDS:
            histogram.record(seconds)
        return OPERATIONS

    return work


def record_peer() -> Work:
    """Record the same latencies, already in the peer's unit."""
    histogram = peer_histogram()

    def work() -> int:
        for microseconds in MICROSECONDS:
            histogram.record_value(microseconds)
        return OPERATIONS

    return work


def peer_histogram() -> HdrHistogram:
    """Return the peer's histogram from a microsecond to an hour."""
    return HdrHistogram(1, 3_600_000_000, 2)


def filled() -> Histogram:
    """Return ours with every latency in it."""
    histogram = Histogram()
    for seconds in SECONDS:
        histogram.record(seconds)
    return histogram


def filled_peer() -> HdrHistogram:
    """Return the peer's with every latency in it."""
    histogram = peer_histogram()
    for microseconds in MICROSECONDS:
        histogram.record_value(microseconds)
    return histogram


def read() -> Work:
    """Read the percentiles of a report."""
    histogram = filled()

    def work() -> int:
        for _ in range(200):
            histogram.percentiles(*RATIOS)
        return 200

    return work


def read_peer() -> Work:
    """Read the same percentiles in the peer's one pass."""
    histogram = filled_peer()
    percentiles = [ratio * 100 for ratio in RATIOS]

    def work() -> int:
        for _ in range(200):
            histogram.get_percentile_to_value_dict(percentiles)
        return 200

    return work


def merge() -> Work:
    """Add one histogram to another."""
    histogram, other = filled(), filled()

    def work() -> int:
        for _ in range(500):
            histogram.merge(other)
        return 500

    return work


def merge_peer() -> Work:
    """Add one of the peer's histograms to another."""
    histogram, other = filled_peer(), filled_peer()

    def work() -> int:
        for _ in range(500):
            histogram.add(other)
        return 500

    return work


def update(average: Ewma | PeakEwma) -> Work:
    """Update an average."""

    def work() -> int:
        for sample, now in zip(SECONDS, MOMENTS, strict=True):
            average.update(sample, now)
        return OPERATIONS

    return work


def count_records() -> Work:
    """Count outcomes in a count window."""
    window = CountWindow(100)

    def work() -> int:
        for _ in range(OPERATIONS):
            window.record(1)
        return OPERATIONS

    return work


def count_seconds() -> Work:
    """Count outcomes in a time window."""
    window = TimeWindow(10.0)

    def work() -> int:
        for now in MOMENTS:
            window.record(1, now)
        return OPERATIONS

    return work
