"""Behaviour of what people read while a timeline system is loaded, and after."""

import io

import msgspec
import pytest
from rich.console import Console

from loadpath.cli.timeline_progress import Teller
from loadpath.cli.timeline_verdict import print_verdict
from loadpath.systems.timeline.load.report import (
    AuditReport,
    CostReport,
    EngineReport,
    Latency,
    LoadReport,
    Outcomes,
    PeerReport,
    Progress,
)
from loadpath.systems.timeline.load.seeding import Seeding
from loadpath.systems.timeline.stage import Step
from loadpath.systems.timeline.verdict import Server, Verdict, judge

SOME = Latency(count=9, p50=0.001, p90=0.002, p99=0.005, max=0.01)


def console() -> tuple[Console, io.StringIO]:
    """Return a console without a terminal, and what it writes to."""
    written = io.StringIO()
    return Console(file=written, width=140), written


def progress(elapsed: float, *, title: str = "mixed", late: float = 0.0) -> Progress:
    """Return one second of a run."""
    return Progress(
        title=title,
        elapsed=elapsed,
        seconds=10,
        offered_posts=510,
        offered_reads=1_020,
        posts=500,
        reads=1_000,
        post=SOME,
        read=SOME,
        lag=Latency(),
        wrong=3,
        late=late,
    )


def verdict() -> Verdict:
    """Return a verdict that does not hold."""
    load = LoadReport(
        seconds=20,
        took=20.1,
        offered_posts=500,
        offered_reads=1_000,
        posts=Outcomes(scheduled=10_000, done=10_000),
        reads=Outcomes(scheduled=20_000, done=20_000),
        posts_per_second=500,
        reads_per_second=1_000,
        post=SOME,
        read=SOME,
        lag_from_ack=SOME,
        lag_from_send=SOME,
        probes_unseen=0,
        late=SOME,
        first_error="503 busy",
    )
    peer = PeerReport(name="a peer", inserts=100, seconds=1, cpu_seconds=1)
    server = Server(
        name="PostgreSQL",
        version="18",
        source="wheel",
        policy="fsync=on",
        synced=True,
        on_disk=True,
    )
    return judge(
        load=load,
        audit=AuditReport(acknowledged=10_000, posts=10_000, pairs=2_000_000, rings=9, lost=1),
        engine=EngineReport(
            posts=9, inserts=8_000_000, seconds=2, cpu_seconds=1, ring_bytes=1 << 30, peer=peer
        ),
        costs=CostReport(
            read_api=1e-4,
            read_record=0,
            post_api=3e-4,
            post_record=4e-4,
            ring_bytes_per_user=6_664,
            record_bytes_per_edge=60,
        ),
        record=server,
        peer=server,
    )


def test_each_load_has_its_title_and_a_row_a_second() -> None:
    """A new title begins a new table; figures are in milliseconds, gaps are dashes."""
    to, written = console()
    tell = Teller(to, began=0.0)
    assert tell.first_figures is None
    for event in (progress(1), progress(2), progress(1, title="reads alone")):
        tell(event)
    lines = written.getvalue().splitlines()
    assert sum("post p50/p99" in line for line in lines) == 2
    assert any("mixed" in line for line in lines)
    assert any("reads alone" in line for line in lines)
    row = next(line for line in lines if " 1 s" in line)
    assert "500     510" in row
    assert "1.0 /    5.0" in row
    assert tell.first_figures is not None


def test_a_generator_that_falls_behind_says_so() -> None:
    """Its own lateness is never mistaken for the system's."""
    to, written = console()
    tell = Teller(to, began=0.0)
    tell(progress(1, late=0.05))
    tell(progress(2, late=0.25))
    assert written.getvalue().count("generator 250 ms late") == 1
    assert "50 ms late" not in written.getvalue().replace("250 ms late", "")


def test_building_the_graph_is_told_about_once_a_second() -> None:
    """Every step is named, chunks within a second are not."""
    to, written = console()
    tell = Teller(to, began=0.0)
    for seconds in (0.1, 0.2, 0.3, 1.5):
        tell(Seeding(step="follows", users=9, edges=50, expected=100, seconds=seconds))
    for step in ("users", "key", "statistics", "done"):
        tell(Seeding(step=step, users=9, edges=100, expected=100, seconds=2.0))
    tell(Step(text="next"))
    lines = written.getvalue().splitlines()
    assert sum("follows: 50 (50%)" in line for line in lines) == 2
    assert len(lines) == 7
    assert lines[-1].endswith("s  next")


def test_the_verdict_keeps_measured_carried_and_computed_apart() -> None:
    """Each has its own table, and every condition its own line."""
    to, written = console()
    judged = verdict()
    print_verdict(to, judged)
    printed = written.getvalue()
    for part in (
        "Measured end to end over HTTP, on this machine",
        "What the fan-out engine carries",
        "Computed from the two",
        "What the acknowledgements stood on",
        "Conditions",
    ):
        assert part in printed
    assert "1 lost" in printed
    assert "503 busy" in printed
    assert "40,000.0" not in printed
    assert "80,000.0" in printed  # times the peer, per CPU-second
    assert printed.rstrip().endswith("The verdict does not hold.")


def test_a_verdict_for_programs_has_the_rates_too() -> None:
    """Nobody has to divide."""
    document = verdict().as_json()
    assert document["holds"] is False
    assert document["engine"]["per_second"] == pytest.approx(4_000_000)
    assert document["engine"]["ratio"] == pytest.approx(80_000)
    assert document["machines"] == sum(need["machines"] for need in document["computed"])
    assert msgspec.json.encode(document)
