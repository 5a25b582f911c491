"""Behaviour of the figures that travel as JSON."""

import msgspec
import pytest

from loadpath.core.histogram import Histogram
from loadpath.systems.timeline.load.report import (
    AuditReport,
    EngineReport,
    Latency,
    Outcomes,
    PeerReport,
)


def test_nothing_measured_is_null_and_no_number() -> None:
    """JSON has no nan, and a zero would be a lie."""
    empty = Latency.of(Histogram())
    assert empty == Latency()
    assert msgspec.json.decode(msgspec.json.encode(empty))["p99"] is None


def test_latency_holds_the_percentiles_of_its_histogram() -> None:
    """Within the histogram's own error."""
    histogram = Histogram()
    for milliseconds in range(1, 101):
        histogram.record(milliseconds / 1000)
    latency = Latency.of(histogram)
    assert latency.count == 100
    assert (latency.p50, latency.p99) == (pytest.approx(0.05, 0.02), pytest.approx(0.099, 0.02))


def test_an_audit_is_clean_until_one_fault_is_found() -> None:
    """Every kind of fault is named with its count."""
    clean = AuditReport(acknowledged=1, posts=1, pairs=1, rings=1)
    assert clean.clean
    found = msgspec.structs.replace(clean, lost=2, foreign=1)
    assert not found.clean
    assert found.faults == {"lost": 2, "foreign": 1}


def test_an_engine_is_compared_per_cpu_second() -> None:
    """Two processes of the peer do not count as one."""
    peer = PeerReport(name="peer", inserts=100, seconds=1, cpu_seconds=2)
    engine = EngineReport(posts=1, inserts=1_000, seconds=2, cpu_seconds=1, ring_bytes=1, peer=peer)
    assert (engine.per_second, engine.per_cpu_second, engine.ratio) == (500, 1_000, 20)
    assert msgspec.structs.replace(engine, peer=None).ratio is None


def test_requests_that_did_not_end_as_asked_are_summed() -> None:
    """A retry that ended well is not one of them."""
    assert Outcomes(scheduled=9, done=3, rejected=1, failed=2, in_doubt=3, retries=9).wrong == 6
