"""Print the timeline's verdict for people: measured, carried, computed, and whether it holds."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from loadpath.systems.timeline.load.report import (
    AuditReport,
    EngineReport,
    Latency,
    LoadReport,
    Outcomes,
)
from loadpath.systems.timeline.verdict import GIB, Need, Target, Verdict, machines


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print the whole verdict."""
    console.print()
    console.print(load_table(verdict.measured))
    console.print(audit_line(verdict.audit), markup=False)
    console.print()
    console.print(_engine(verdict.engine))
    console.print()
    console.print(_computed(verdict.computed, verdict.target))
    console.print()
    console.print(_servers(verdict))
    console.print()
    console.print(_conditions(verdict))
    for remark in verdict.remarks:
        console.print(f"Remark: {remark}.", markup=False)
    word = "[bold green]holds[/]" if verdict.holds else "[bold red]does not hold[/]"
    console.print(f"The verdict {word}.")


def load_table(load: LoadReport) -> Table:
    """Return what was measured over HTTP, as a table."""
    table = _table(
        "Measured end to end over HTTP, on this machine", "", "rate", "p50", "p90", "p99", "max"
    )
    table.add_row(
        "posts acknowledged after commit", f"{load.posts_per_second:,.0f}/s", *_times(load.post)
    )
    table.add_row("home timelines read", f"{load.reads_per_second:,.0f}/s", *_times(load.read))
    table.add_row("fan-out lag, from the acknowledgement", "", *_times(load.lag_from_ack))
    table.add_row("fan-out lag, from the scheduled moment", "", *_times(load.lag_from_send))
    table.add_row("lateness of the generator itself", "", *_times(load.late))
    table.caption = (
        f"offered {load.offered_posts:,.0f} posts/s and {load.offered_reads:,.0f} reads/s for "
        f"{load.seconds:,.0f} s, open loop; posts {_outcomes(load.posts)}; "
        f"reads {_outcomes(load.reads)}"
    )
    if load.first_error:
        table.caption += f"; first error: {load.first_error}"
    table.caption_justify = "left"
    return table


def audit_line(audit: AuditReport) -> str:
    """Return what the audit found, in one sentence."""
    faults = ", ".join(f"{count:,} {name}" for name, count in audit.faults.items())
    return (
        f"Looked up afterwards: {audit.kinds} in the record, "
        f"{audit.pairs:,} places in {audit.rings:,} timelines, {audit.timelines} timelines page "
        f"by page over HTTP, in {audit.seconds:.1f} s: {faults or 'nothing lost, nothing doubled'}."
    )


def _engine(engine: EngineReport) -> Table:
    table = _table(
        "What the fan-out engine carries (the running writer, fed from the log)",
        "",
        "inserts",
        "inserts/s",
        "inserts per CPU-second",
    )
    table.add_row(
        "rings, from the log, with the live graph",
        f"{engine.inserts:,}",
        f"{engine.per_second:,.0f}",
        f"{engine.per_cpu_second:,.0f}",
    )
    peer = engine.peer
    if peer is not None:
        table.add_row(
            f"{peer.name} (client + server)",
            f"{peer.inserts:,}",
            f"{peer.per_second:,.0f}",
            f"{peer.per_cpu_second:,.0f}",
        )
        if engine.ratio is not None:
            table.add_row("times the peer", "", "", f"{engine.ratio:,.1f}")
    table.caption = f"{engine.ring_bytes / GIB:.2f} GiB of rings; the guide asks for 1,200,000/s"
    table.caption_justify = "left"
    return table


def _computed(needs: Sequence[Need], target: Target) -> Table:
    table = _table(
        f"Computed from the two: what {target.users:,} users, {target.posts:,.0f} posts/s and "
        f"{target.reads:,.0f} reads/s need",
        "part",
        "cores",
        "memory",
        "disk",
        "machines",
        "why",
    )
    for need in needs:
        table.add_row(
            need.part,
            f"{need.cores:,.1f}",
            _gib(need.memory),
            _gib(need.disk),
            f"{need.machines:,}" if need.machines else "",
            need.formula,
        )
    table.add_row("together", "", "", "", f"{machines(list(needs)):,}", "")
    table.caption = (
        f"machines of {target.machine_cores} cores of this kind and "
        f"{target.machine_bytes / GIB:,.0f} GiB; without copies for failures"
    )
    table.caption_justify = "left"
    return table


def _servers(verdict: Verdict) -> Table:
    table = _table("What the acknowledgements stood on", "server", "policy", "data on", "durable")
    for server in (verdict.record, verdict.peer):
        if server is not None:
            table.add_row(
                f"{server.name} {server.version} ({server.source})",
                server.policy,
                "a real disk" if server.on_disk else "memory",
                "yes" if server.durable else "no",
            )
    return table


def _conditions(verdict: Verdict) -> Table:
    table = _table("Conditions", "", "", "wanted", "found")
    for condition in verdict.conditions:
        mark = "[green]holds[/]" if condition.holds else "[red]does not hold[/]"
        table.add_row(mark, condition.name, condition.wanted, condition.found)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _times(latency: Latency) -> tuple[str, str, str, str]:
    values = (latency.p50, latency.p90, latency.p99, latency.max)
    p50, p90, p99, largest = ("-" if v is None else f"{v * 1e3:,.1f} ms" for v in values)
    return p50, p90, p99, largest


def _outcomes(outcomes: Outcomes) -> str:
    return (
        f"{outcomes.done:,} done, {outcomes.rejected:,} rejected, {outcomes.failed:,} failed, "
        f"{outcomes.in_doubt:,} in doubt, {outcomes.retries:,} retries"
    )


def _gib(size: float) -> str:
    return f"{size / GIB:,.0f} GiB" if size else ""
