"""What a load run, its audit and the engine's measurement found: figures only, as JSON goes."""

from math import isnan

import msgspec

from loadpath.core.histogram import Histogram


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Hold how long something took; every figure is None when nothing was measured.

    Attributes:
        count: Values measured.
        p50: Median (s).
        p90: 90th percentile (s).
        p99: 99th percentile (s).
        max: Largest value (s).
    """

    count: int = 0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> "Latency":
        """Return the figures of a histogram."""
        values = histogram.percentiles(0.5, 0.9, 0.99, 1)
        p50, p90, p99, largest = (None if isnan(value) else value for value in values)
        return cls(count=histogram.count, p50=p50, p90=p90, p99=p99, max=largest)


class Outcomes(msgspec.Struct, kw_only=True):
    """Count how requests of one kind ended; the last three never mean the same.

    Attributes:
        scheduled: Requests whose moment came.
        done: Answered as asked (a post: acknowledged with 201 after its commit).
        rejected: Refused untried (429, 503 until the deadline).
        failed: Answered with an error.
        in_doubt: Sent and never answered: it may have happened.
        retries: Further tries of the same request, under the same idempotency key.
    """

    scheduled: int = 0
    done: int = 0
    rejected: int = 0
    failed: int = 0
    in_doubt: int = 0
    retries: int = 0

    @property
    def wrong(self) -> int:
        """Requests that did not end as asked."""
        return self.rejected + self.failed + self.in_doubt


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Hold one second of a running load.

    Attributes:
        title: Which load it is of.
        elapsed: Since the schedule began (s).
        seconds: Length of the schedule (s).
        offered_posts: Posts whose moment came within this second.
        offered_reads: Reads whose moment came within this second.
        posts: Posts acknowledged within this second.
        reads: Reads answered within this second.
        post: Latency of the posts of this second.
        read: Latency of the reads of this second.
        lag: Fan-out lag of the probes of this second.
        wrong: Requests so far that did not end as asked.
        late: How far behind its schedule the generator itself was at worst in this second (s).
    """

    title: str
    elapsed: float
    seconds: float
    offered_posts: int
    offered_reads: int
    posts: int
    reads: int
    post: Latency
    read: Latency
    lag: Latency
    wrong: int
    late: float


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what one load run measured, end to end over HTTP.

    Attributes:
        seconds: Length of the schedule (s).
        took: From the first scheduled moment to the last answer (s).
        offered_posts: Offered rate (1/s).
        offered_reads: Offered rate (1/s).
        posts: How the posts ended.
        reads: How the reads ended.
        posts_per_second: Posts acknowledged per second, while the schedule ran.
        reads_per_second: Reads answered per second, while the schedule ran.
        post: Latency of acknowledged posts, from their scheduled moment.
        read: Latency of answered reads, from their scheduled moment.
        lag_from_ack: From a post's 201 until a follower's home timeline showed it.
        lag_from_send: The same, from the post's scheduled moment.
        probes_unseen: Sampled posts that no look at the follower's timeline found in time.
        late: How late the generator itself started requests.
        first_error: For people: the first failure, else the first reason to try again.
    """

    seconds: float
    took: float
    offered_posts: float
    offered_reads: float
    posts: Outcomes
    reads: Outcomes
    posts_per_second: float
    reads_per_second: float
    post: Latency
    read: Latency
    lag_from_ack: Latency
    lag_from_send: Latency
    probes_unseen: int
    late: Latency
    first_error: str | None = None

    @property
    def answered(self) -> float:
        """Share of the scheduled requests that ended as asked (0-1)."""
        scheduled = self.posts.scheduled + self.reads.scheduled
        return (self.posts.done + self.reads.done) / scheduled if scheduled else 0.0


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what became of every post, looked up after the load in the record and in every ring.

    Attributes:
        acknowledged: Posts that load runs were told over HTTP are committed.
        written: Posts that the engine's measurement wrote straight to the record, none over HTTP.
        posts: Posts in the record.
        pairs: (follower, post) places in rings that were checked.
        rings: Rings that were checked.
        lost: Posts of both kinds that the record does not have.
        doubled: Posts that the record has again under another id.
        missing: Places that should hold a post and do not.
        repeated: Places that hold a post which the same ring holds already.
        foreign: Places that hold a post of somebody whom the ring's owner does not follow.
        unknown: Places that hold a post which the record does not have.
        unready: Rings that only the record could answer for.
        timelines: Home timelines read page by page over HTTP and compared with the record.
        different: Those that were not what the record says.
        undrained: Log entries that the writers had not applied when waiting for them ended.
        seconds: How long the audit took (s).
    """

    acknowledged: int
    posts: int
    pairs: int
    rings: int
    lost: int = 0
    doubled: int = 0
    missing: int = 0
    repeated: int = 0
    foreign: int = 0
    unknown: int = 0
    unready: int = 0
    timelines: int = 0
    different: int = 0
    undrained: int = 0
    written: int = 0
    seconds: float = 0.0

    @property
    def faults(self) -> dict[str, int]:
        """Every kind of fault found, by name."""
        names = (
            "lost",
            "doubled",
            "missing",
            "repeated",
            "foreign",
            "unknown",
            "unready",
            "different",
            "undrained",
        )
        return {name: count for name in names if (count := getattr(self, name))}

    @property
    def kinds(self) -> str:
        """The posts that were looked up, for people: those over HTTP apart from the others."""
        over_http = f"{self.acknowledged:,} posts acknowledged over HTTP"
        if not self.written:
            return over_http
        return f"{over_http} and {self.written:,} of the engine written straight to the record"

    @property
    def clean(self) -> bool:
        """Whether every post is exactly where it belongs."""
        return not self.faults


class EngineReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the running fan-out writer carried when the log held more than it could empty.

    Attributes:
        posts: Posts applied.
        inserts: Timeline inserts applied.
        seconds: Wall time (s).
        cpu_seconds: CPU time of the writer process (s).
        ring_bytes: Size of the rings that it wrote to (bytes).
        peer: What the same inserts cost elsewhere, None when it was not measured.
    """

    posts: int
    inserts: int
    seconds: float
    cpu_seconds: float
    ring_bytes: int
    peer: "PeerReport | None" = None

    @property
    def per_second(self) -> float:
        """Inserts per second of wall time."""
        return self.inserts / self.seconds if self.seconds else 0.0

    @property
    def per_cpu_second(self) -> float:
        """Inserts per second of the writer's CPU time."""
        return self.inserts / self.cpu_seconds if self.cpu_seconds else 0.0

    @property
    def ratio(self) -> float | None:
        """How many times the peer's inserts one CPU-second of ours carries."""
        if self.peer is None or not self.peer.per_cpu_second:
            return None
        return self.per_cpu_second / self.peer.per_cpu_second


class PeerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the same kind of inserts into what a user would pick instead.

    Attributes:
        name: What it is.
        inserts: Timeline inserts applied.
        seconds: Wall time (s).
        cpu_seconds: CPU time of its client and its server together (s).
    """

    name: str
    inserts: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Inserts per second of wall time."""
        return self.inserts / self.seconds if self.seconds else 0.0

    @property
    def per_cpu_second(self) -> float:
        """Inserts per second of CPU time."""
        return self.inserts / self.cpu_seconds if self.cpu_seconds else 0.0


class CostReport(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the CPU time of one request, measured while only its kind was offered.

    Attributes:
        read_api: HTTP processes, per home timeline read (s).
        read_record: PostgreSQL, per home timeline read (s).
        post_api: HTTP processes, per post (s).
        post_record: PostgreSQL, per post (s).
        ring_bytes_per_user: Memory of one ring (bytes).
        record_bytes_per_edge: Disk that one follow takes in the record, keys included (bytes).
    """

    read_api: float
    read_record: float
    post_api: float
    post_record: float
    ring_bytes_per_user: float
    record_bytes_per_edge: float
