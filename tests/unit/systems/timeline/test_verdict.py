"""Behaviour of the verdict: every way to hold, and every way not to."""

from typing import Any

import msgspec
import pytest

from loadpath.systems.timeline.load.report import (
    AuditReport,
    CostReport,
    EngineReport,
    Latency,
    LoadReport,
    Outcomes,
)
from loadpath.systems.timeline.verdict import (
    GIB,
    Server,
    Target,
    Verdict,
    judge,
    machines,
    needs,
)

LOAD = LoadReport(
    seconds=20,
    took=20.1,
    offered_posts=500,
    offered_reads=1_000,
    posts=Outcomes(scheduled=10_000, done=10_000),
    reads=Outcomes(scheduled=20_000, done=20_000),
    posts_per_second=500,
    reads_per_second=1_000,
    post=Latency(count=10_000, p50=0.004, p90=0.008, p99=0.02, max=0.05),
    read=Latency(count=20_000, p50=0.002, p90=0.004, p99=0.01, max=0.03),
    lag_from_ack=Latency(count=500, p50=0.005, p90=0.01, p99=0.03, max=0.08),
    lag_from_send=Latency(count=500, p50=0.009, p90=0.02, p99=0.05, max=0.1),
    probes_unseen=0,
    late=Latency(count=30_000, p50=0.0005, p90=0.001, p99=0.004, max=0.02),
)
AUDIT = AuditReport(acknowledged=10_000, posts=10_000, pairs=2_000_000, rings=200_000)
ENGINE = EngineReport(
    posts=40_000, inserts=8_000_000, seconds=2, cpu_seconds=1.6, ring_bytes=1_332_800_000
)
COSTS = CostReport(
    read_api=120e-6,
    read_record=10e-6,
    post_api=300e-6,
    post_record=400e-6,
    ring_bytes_per_user=6_664,
    record_bytes_per_edge=70,
)
RECORD = Server(
    name="PostgreSQL",
    version="18.6",
    source="wheel",
    policy="fsync=on",
    synced=True,
    on_disk=True,
)


def verdict(**changes: Any) -> Verdict:
    """Judge a run that holds, but for the changes."""
    run: dict[str, Any] = {
        "load": LOAD,
        "audit": AUDIT,
        "engine": ENGINE,
        "costs": COSTS,
        "record": RECORD,
    }
    return judge(**{**run, **changes})


def broken(verdict: Verdict) -> list[str]:
    """Name the conditions that do not hold."""
    return [condition.name for condition in verdict.conditions if not condition.holds]


def test_a_run_that_meets_everything_holds() -> None:
    """Each condition holds, and so does the verdict."""
    assert verdict().holds
    assert broken(verdict()) == []


@pytest.mark.parametrize(
    "fault",
    [
        "lost",
        "doubled",
        "missing",
        "repeated",
        "foreign",
        "unknown",
        "unready",
        "different",
        "undrained",
    ],
)
def test_one_fault_of_any_kind_is_enough_not_to_hold(fault: str) -> None:
    """The condition names the fault and how often it was found."""
    judged = verdict(audit=msgspec.structs.replace(AUDIT, **{fault: 1}))
    assert not judged.holds
    assert broken(judged) == ["nothing acknowledged is lost or doubled"]
    assert f"1 {fault}" in judged.conditions[0].found


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"offered_posts": 499}, "offered load over HTTP"),
        ({"offered_reads": 999}, "offered load over HTTP"),
        ({"posts": Outcomes(scheduled=10_000, done=9_600)}, "the offered load was carried"),
        ({"took": 21.1}, "the offered load was carried"),
        ({"late": Latency(count=9, p99=0.1)}, "the load generator kept its schedule"),
        ({"late": Latency()}, "the load generator kept its schedule"),
        ({"lag_from_ack": Latency(count=500, p99=0.1)}, "fan-out lag, p99"),
        ({"lag_from_ack": Latency()}, "fan-out lag, p99"),
        ({"probes_unseen": 1}, "fan-out lag, p99"),
    ],
)
def test_what_http_did_not_show_does_not_hold(changes: dict[str, Any], name: str) -> None:
    """Too little offered, not carried, not on schedule, too late or never measured."""
    judged = verdict(load=msgspec.structs.replace(LOAD, **changes))
    assert not judged.holds
    assert broken(judged) == [name]


def test_a_run_without_any_acknowledged_post_does_not_hold() -> None:
    """Nothing lost of nothing is no proof."""
    assert not verdict(audit=AuditReport(acknowledged=0, posts=0, pairs=0, rings=0)).holds


def test_an_engine_below_the_guides_rate_does_not_hold() -> None:
    """The wall clock counts, not only CPU time."""
    slow = msgspec.structs.replace(ENGINE, seconds=7.0)
    assert broken(verdict(engine=slow)) == ["the fan-out engine carries the guide's write load"]
    unmeasured = msgspec.structs.replace(ENGINE, inserts=0, seconds=0.0, cpu_seconds=0.0)
    assert not verdict(engine=unmeasured).holds


@pytest.mark.parametrize("relaxed", [{"synced": False}, {"on_disk": False}])
def test_acknowledgements_that_could_vanish_do_not_hold(relaxed: dict[str, Any]) -> None:
    """A figure without durability is not the figure that was asked for."""
    judged = verdict(record=msgspec.structs.replace(RECORD, **relaxed))
    assert broken(judged) == ["an acknowledgement is durable"]


def test_needs_follow_from_the_measured_costs() -> None:
    """Cores are rate times CPU time over the allowed utilisation; memory is rings and lists."""
    target = Target(
        utilisation=0.5, filled=0.5, machine_cores=10, machine_bytes=100 * GIB, missed=0.1
    )
    reads, posts, writers, hosts, record = needs(COSTS, ENGINE, target)
    assert reads.cores == pytest.approx(300_000 * 120e-6 / 0.5)
    assert posts.cores == pytest.approx(6_000 * 300e-6 / 0.5)
    assert writers.cores == pytest.approx(1_200_000 * (1.6 / 8_000_000) / 0.5)
    assert writers.memory == pytest.approx(100e6 * (6_664 + 800))
    assert hosts.cores == pytest.approx(reads.cores + posts.cores + writers.cores)
    assert hosts.memory == writers.memory
    assert record.cores == pytest.approx((6_000 * 400e-6 + 300_000 * (10e-6 + 40e-6)) / 0.5)
    assert record.machines == 4
    assert record.disk == pytest.approx(100e6 * 200 * 70)
    assert machines([reads, posts, writers, hosts, record]) == hosts.machines + 4


@pytest.mark.parametrize(
    ("size", "expected"), [(100 * GIB, 14), (1_000 * GIB, 8)], ids=["memory", "cores"]
)
def test_what_reads_a_ring_shares_the_machine_of_the_ring(size: int, expected: int) -> None:
    """The larger of memory and cores decides, never their sum; the parts need no machines."""
    target = Target(utilisation=0.5, filled=0.5, machine_cores=10, machine_bytes=size)
    reads, posts, writers, hosts, _ = needs(COSTS, ENGINE, target)
    assert (reads.machines, posts.machines, writers.machines) == (0, 0, 0)
    assert hosts.machines == expected
    assert "shared memory" in hosts.formula


def test_a_warm_cache_is_not_taken_for_the_guides_system() -> None:
    """Reads that cost the record nothing here still cost it something there, and it says why."""
    warm = msgspec.structs.replace(COSTS, read_record=0.0)
    record = needs(warm, ENGINE, Target())[-1]
    assert record.cores == pytest.approx((6_000 * 400e-6 + 300_000 * 0.05 * 400e-6) / 0.6)
    assert "warm cache (0 us), so 5% misses are assumed" in record.formula


@pytest.mark.parametrize("small", [{"ring_bytes": 999_999_999}, {"inserts": 149 * 40_000}])
def test_a_small_graph_is_remarked_on(small: dict[str, Any]) -> None:
    """However fast the engine is over rings that fit a cache, or for authors without readers."""
    assert verdict().remarks == []
    (remark,) = verdict(engine=msgspec.structs.replace(ENGINE, **small)).remarks
    assert remark.startswith("small graph: ")


def test_a_short_run_is_remarked_on() -> None:
    """A percentile over few posts says little: the remark tells over how many."""
    short = msgspec.structs.replace(LOAD, lag_from_ack=Latency(count=99, p99=0.01))
    (remark,) = verdict(load=short).remarks
    assert remark.startswith("short run: the lag's p99 is over 99 posts")


def test_posts_over_http_are_never_mixed_with_the_engines() -> None:
    """Two numbers for people, two fields for programs; only those over HTTP were acknowledged."""
    judged = verdict(audit=msgspec.structs.replace(AUDIT, written=40_000))
    assert (
        "10,000 posts acknowledged over HTTP and 40,000 of the engine written straight"
        in judged.conditions[0].found
    )
    assert judged.as_json()["audit"]["acknowledged"] == 10_000
    assert judged.as_json()["audit"]["written"] == 40_000
    assert not verdict(audit=msgspec.structs.replace(AUDIT, acknowledged=0, written=9)).holds


def test_every_need_shows_its_formula() -> None:
    """A number of machines without its reason is not believed."""
    for need in verdict().computed:
        assert any(character.isdigit() for character in need.formula)
    assert [need.machines > 0 for need in verdict().computed] == [False, False, False, True, True]


def test_the_verdict_is_json_and_comes_back() -> None:
    """Programs read what people read."""
    judged = verdict(engine=msgspec.structs.replace(ENGINE, peer=None))
    again = msgspec.json.decode(msgspec.json.encode(judged), type=Verdict)
    assert again == judged
