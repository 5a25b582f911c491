"""Judge a run against the guide: what was measured, what the engine carries, what follows.

Numbers in, verdict out. Three things are never mixed: what was measured end to end over HTTP on
one machine, what the fan-out engine alone can carry, and what is computed from the two for the
guide's system. Only the first two decide whether the verdict holds.

Guide: chapter "large systems", the Twitter-like system: 100 million users, 6,000 posts/s, 300,000
timeline reads/s, 200 followers on average.
"""

from math import ceil
from typing import Any

import msgspec

from loadpath.systems.timeline.load.report import (
    AuditReport,
    CostReport,
    EngineReport,
    Latency,
    LoadReport,
)

GIB = 1 << 30


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """Say what must be reached for the verdict to hold.

    Attributes:
        posts: Lowest offered rate of posts over HTTP (1/s).
        reads: Lowest offered rate of timeline reads over HTTP (1/s).
        lag: The fan-out lag's 99th percentile stays below this (s).
        answered: Lowest share of the offered requests that ends as asked (0-1).
        backlog: How long after the schedule's end the last answer may come (s).
        late: The generator's own lateness stays below this at its 99th percentile (s).
        lag_samples: Posts below which the lag's percentile is remarked on.
        inserts: Lowest rate of timeline inserts that the engine carries (1/s).
        ring_bytes: Bytes of rings below which the engine's figure is remarked on.
        followers: Average of followers per post below which it is remarked on, too.
    """

    posts: float = 500.0
    reads: float = 1_000.0
    lag: float = 0.100
    lag_samples: int = 100
    answered: float = 0.99
    backlog: float = 1.0
    late: float = 0.100
    inserts: float = 1_200_000.0
    ring_bytes: float = 1e9
    followers: float = 150.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Describe the guide's system and the machines to build it from.

    Attributes:
        users: Users, each with a ring.
        posts: Posts per second.
        reads: Home timeline reads per second.
        followers: Average followers per user.
        missed: Share of the reads whose posts are not in a cache, assumed (0-1).
        utilisation: Share of a core that may be busy; the rest is for bursts and failures (0-1).
        filled: Share of a machine's memory that rings may fill (0-1).
        machine_cores: Cores of one machine.
        machine_bytes: Memory of one machine (bytes).
    """

    users: int = 100_000_000
    posts: float = 6_000.0
    reads: float = 300_000.0
    followers: float = 200.0
    missed: float = 0.05
    utilisation: float = 0.6
    filled: float = 0.75
    machine_cores: int = 16
    machine_bytes: int = 128 * GIB

    @property
    def inserts(self) -> float:
        """Timeline inserts per second."""
        return self.posts * self.followers


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one condition of the verdict.

    Attributes:
        name: What is asked.
        holds: Whether it is so.
        wanted: What would hold.
        found: What was measured.
    """

    name: str
    holds: bool
    wanted: str
    found: str


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one line of what the guide's system needs.

    Attributes:
        part: What does the work.
        formula: How the amount follows from measured figures.
        cores: Busy cores divided by the allowed utilisation, 0 where only memory or disk counts.
        memory: Bytes that must stay in memory.
        disk: Bytes on disk.
        machines: Machines of the target's size that hold it; 0 when it shares those of another.
    """

    part: str
    formula: str
    cores: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    machines: int = 0


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """State what a server's acknowledgements stood on during the run.

    Attributes:
        name: What it is.
        version: Its version.
        source: Where its program comes from.
        policy: The settings that decide what survives a crash, as the server reports them.
        synced: Whether a write is on the disk before it is acknowledged.
        on_disk: Whether its data lay on a real disk, not in memory.
    """

    name: str
    version: str
    source: str
    policy: str
    synced: bool
    on_disk: bool

    @property
    def durable(self) -> bool:
        """Whether an acknowledged write survives the loss of power."""
        return self.synced and self.on_disk


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Say whether the run holds against the guide, and why.

    Attributes:
        holds: Whether every condition holds.
        conditions: The conditions.
        remarks: What the run was too small to show, empty at the guide's scale.
        measured: End to end over HTTP, on this machine.
        audit: What became of every post.
        engine: What the fan-out engine carried.
        costs: CPU time per request, measured on this machine.
        computed: What the guide's system needs, computed from the figures above.
        record: The server that acknowledgements stood on.
        peer: The server of the engine's peer, None when it was not measured.
        target: The system and the machines that `computed` is for.
    """

    holds: bool
    conditions: list[Condition]
    remarks: list[str]
    measured: LoadReport
    audit: AuditReport
    engine: EngineReport
    costs: CostReport
    computed: list[Need]
    record: Server
    peer: Server | None
    target: Target

    def as_json(self) -> dict[str, Any]:
        """Return everything for programs, rates and sums included."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        engine = document["engine"]
        engine |= {
            "per_second": self.engine.per_second,
            "per_cpu_second": self.engine.per_cpu_second,
            "ratio": self.engine.ratio,
        }
        document["machines"] = machines(self.computed)
        return document


def judge(
    *,
    load: LoadReport,
    audit: AuditReport,
    engine: EngineReport,
    costs: CostReport,
    record: Server,
    peer: Server | None = None,
    goals: Goals | None = None,
    target: Target | None = None,
) -> Verdict:
    """Return the verdict over one run."""
    goals = goals or Goals()
    target = target or Target()
    conditions = [
        _nothing_lost(audit),
        _offered(load, goals),
        _answered(load, goals),
        _on_schedule(load, goals),
        _lag(load, goals),
        _engine(engine, goals),
        _durable(record),
    ]
    return Verdict(
        holds=all(condition.holds for condition in conditions),
        conditions=conditions,
        remarks=_remarks(load, engine, goals),
        measured=load,
        audit=audit,
        engine=engine,
        costs=costs,
        computed=needs(costs, engine, target),
        record=record,
        peer=peer,
        target=target,
    )


def needs(costs: CostReport, engine: EngineReport, target: Target) -> list[Need]:
    """Compute what the target needs from what one request was measured to cost."""
    reads = _cores(
        "HTTP processes: reads",
        target.reads,
        "reads/s",
        costs.read_api,
        target,
    )
    posts = _cores("HTTP processes: posts", target.posts, "posts/s", costs.post_api, target)
    writers = _writers(costs, engine, target)
    return [reads, posts, writers, _hosts(reads, posts, writers, target), _postgres(costs, target)]


def machines(computed: list[Need]) -> int:
    """Return how many machines all parts need together."""
    return sum(need.machines for need in computed)


def _nothing_lost(audit: AuditReport) -> Condition:
    faults = ", ".join(f"{count:,} {name}" for name, count in audit.faults.items())
    checked = f"{audit.kinds}, {audit.pairs:,} timeline places"
    return Condition(
        name="nothing acknowledged is lost or doubled",
        holds=audit.clean and audit.acknowledged > 0,
        wanted="every acknowledged post once in the record and in every follower's timeline",
        found=f"{faults or 'no fault'} in {checked}",
    )


def _offered(load: LoadReport, goals: Goals) -> Condition:
    return Condition(
        name="offered load over HTTP",
        holds=load.offered_posts >= goals.posts and load.offered_reads >= goals.reads,
        wanted=f"at least {goals.posts:,.0f} posts/s and {goals.reads:,.0f} reads/s",
        found=f"{load.offered_posts:,.0f} posts/s and {load.offered_reads:,.0f} reads/s",
    )


def _answered(load: LoadReport, goals: Goals) -> Condition:
    wrong = load.posts.wrong + load.reads.wrong
    return Condition(
        name="the offered load was carried",
        holds=load.answered >= goals.answered and load.took <= load.seconds + goals.backlog,
        wanted=(
            f"at least {goals.answered:.0%} of the requests end as asked, "
            f"the last one within {goals.backlog:g} s of the schedule's end"
        ),
        found=(
            f"{load.answered:.2%}: {load.posts_per_second:,.0f} posts/s acknowledged, "
            f"{load.reads_per_second:,.0f} reads/s answered, {wrong:,} not as asked"
        ),
    )


def _on_schedule(load: LoadReport, goals: Goals) -> Condition:
    return Condition(
        name="the load generator kept its schedule",
        holds=_below(load.late, goals.late),
        wanted=f"starts requests less than {goals.late * 1000:.0f} ms late at p99",
        found=_milliseconds(load.late.p99),
    )


def _lag(load: LoadReport, goals: Goals) -> Condition:
    lag = load.lag_from_ack
    unseen = f", {load.probes_unseen:,} never seen" if load.probes_unseen else ""
    return Condition(
        name="fan-out lag, p99",
        holds=_below(lag, goals.lag) and not load.probes_unseen,
        wanted=f"below {goals.lag * 1000:.0f} ms from the acknowledgement",
        found=f"{_milliseconds(lag.p99)} over {lag.count:,} sampled posts{unseen}",
    )


def _engine(engine: EngineReport, goals: Goals) -> Condition:
    return Condition(
        name="the fan-out engine carries the guide's write load",
        holds=engine.per_second >= goals.inserts,
        wanted=f"at least {goals.inserts:,.0f} inserts/s",
        found=(
            f"{engine.per_second:,.0f} inserts/s, {engine.per_cpu_second:,.0f} per CPU-second, "
            f"over {engine.inserts:,} inserts"
        ),
    )


def _remarks(load: LoadReport, engine: EngineReport, goals: Goals) -> list[str]:
    """Say what a small run cannot show; it may hold, but claims less."""
    remarks = []
    followers = engine.inserts / engine.posts if engine.posts else 0.0
    if engine.ring_bytes < goals.ring_bytes or followers < goals.followers:
        remarks.append(
            f"small graph: the engine wrote to {engine.ring_bytes / 1e9:,.2f} GB of rings for "
            f"{followers:,.0f} followers per post; the guide's scale starts at "
            f"{goals.ring_bytes / 1e9:,.1f} GB and {goals.followers:,.0f}"
        )
    if load.lag_from_ack.count < goals.lag_samples:
        remarks.append(
            f"short run: the lag's p99 is over {load.lag_from_ack.count:,} posts, "
            f"fewer than {goals.lag_samples:,}"
        )
    return remarks


def _durable(record: Server) -> Condition:
    place = "a real disk" if record.on_disk else "memory"
    return Condition(
        name="an acknowledgement is durable",
        holds=record.durable,
        wanted="the record syncs each commit to a real disk before it acknowledges",
        found=f"{record.name} {record.version}: {record.policy}, data on {place}",
    )


def _below(latency: Latency, limit: float) -> bool:
    """Tell whether a 99th percentile was measured and stays below a limit."""
    return latency.p99 is not None and latency.p99 < limit


def _milliseconds(seconds: float | None) -> str:
    return "nothing measured" if seconds is None else f"{seconds * 1000:,.1f} ms"


def _cores(part: str, rate: float, unit: str, cost: float, target: Target) -> Need:
    cores = rate * cost / target.utilisation
    return Need(
        part=part,
        formula=(f"{rate:,.0f} {unit} * {cost * 1e6:,.0f} us CPU / {target.utilisation:.0%} busy"),
        cores=cores,
    )


def _writers(costs: CostReport, engine: EngineReport, target: Target) -> Need:
    """Size the timeline shards: memory for rings and follower lists, cores for inserts."""
    cost = 1 / engine.per_cpu_second if engine.per_cpu_second else 0.0
    cores = target.inserts * cost / target.utilisation
    edge_bytes = 4
    memory = target.users * (costs.ring_bytes_per_user + target.followers * edge_bytes)
    return Need(
        part="timeline shards: rings and writers",
        formula=(
            f"{target.users:,} users * ({costs.ring_bytes_per_user:,.0f} B ring + "
            f"{target.followers:.0f} followers * {edge_bytes} B) / {target.filled:.0%} filled; "
            f"{target.inserts:,.0f} inserts/s * {cost * 1e9:,.0f} ns CPU"
        ),
        cores=cores,
        memory=memory,
    )


def _hosts(reads: Need, posts: Need, writers: Need, target: Target) -> Need:
    """Put HTTP processes beside the rings that they read: memory and cores share machines."""
    cores = reads.cores + posts.cores + writers.cores
    by_memory = ceil(writers.memory / (target.machine_bytes * target.filled))
    by_cores = ceil(cores / target.machine_cores)
    return Need(
        part="timeline hosts: the three above",
        formula=(
            "together on the same machines, because HTTP processes read rings through shared "
            f"memory: the larger of {by_memory:,} by memory and {by_cores:,} by cores"
        ),
        cores=cores,
        memory=writers.memory,
        machines=max(by_memory, by_cores),
    )


def _postgres(costs: CostReport, target: Target) -> Need:
    """Size PostgreSQL: CPU of commits and page reads, disk of the follower graph.

    The reads were measured with all posts in a cache. A share of misses is assumed, and a query
    for the posts of one page is taken to cost as much as the commit of one post.
    """
    read = costs.read_record + target.missed * costs.post_record
    busy = target.posts * costs.post_record + target.reads * read
    cores = busy / target.utilisation
    return Need(
        part="record: PostgreSQL shards",
        formula=(
            f"({target.posts:,.0f} posts/s * {costs.post_record * 1e6:,.0f} us + "
            f"{target.reads:,.0f} reads/s * {read * 1e6:,.0f} us CPU) "
            f"/ {target.utilisation:.0%} busy; {target.users * target.followers:,.0f} follows * "
            f"{costs.record_bytes_per_edge:,.0f} B on disk; a read was measured with a warm cache "
            f"({costs.read_record * 1e6:,.0f} us), so {target.missed:.0%} misses are assumed, each "
            "as dear as a post's commit"
        ),
        cores=cores,
        disk=target.users * target.followers * costs.record_bytes_per_edge,
        machines=ceil(cores / target.machine_cores),
    )
