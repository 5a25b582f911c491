"""Count how requests ended and how long they took; all times are seconds since the start."""

from dataclasses import dataclass, field
from enum import Enum

from loadpath.core.histogram import Histogram
from loadpath.systems.timeline.load.arrivals import Arrivals
from loadpath.systems.timeline.load.report import Latency, LoadReport, Outcomes, Progress


class Kind(Enum):
    """Name what a request does."""

    POST = "post"
    READ = "read"


@dataclass(slots=True)
class _Stage:
    """Hold one kind of request over the whole run, and over the current second."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    latency: Histogram = field(default_factory=Histogram)
    in_time: int = 0
    offered_now: int = 0
    latency_now: Histogram = field(default_factory=Histogram)


class Tally:
    """Hold a run's figures.

    Args:
        arrivals: The schedule that the run follows.
        title: What the run is called.
    """

    def __init__(self, arrivals: Arrivals, *, title: str = "load") -> None:
        self._arrivals = arrivals
        self._title = title
        self._stages = {kind: _Stage() for kind in Kind}
        self._lag = Histogram()
        self._lag_now = Histogram()
        self._lag_from_send = Histogram()
        self._late = Histogram()
        self._late_now = 0.0
        self._unseen = 0
        self._last_end = 0.0
        self._first_error: str | None = None
        self._first_failure: str | None = None

    def started(self, kind: Kind, *, due: float, now: float) -> int:
        """Count a request whose moment came; return its number within its kind.

        Args:
            kind: What it does.
            due: Its scheduled moment (s).
            now: When the generator really started it (s).
        """
        stage = self._stages[kind]
        stage.outcomes.scheduled += 1
        stage.offered_now += 1
        late = max(0.0, now - due)
        self._late.record(late)
        self._late_now = max(self._late_now, late)
        return stage.outcomes.scheduled

    def done(self, kind: Kind, *, due: float, now: float) -> None:
        """Count a request that was answered as asked."""
        stage = self._stages[kind]
        stage.outcomes.done += 1
        stage.latency.record(now - due)
        stage.latency_now.record(now - due)
        stage.in_time += now <= self._arrivals.seconds
        self._last_end = max(self._last_end, now)

    def retried(self, kind: Kind, why: str) -> None:
        """Count a further try of a request, and remember the first reason of all."""
        self._stages[kind].outcomes.retries += 1
        self._first_error = self._first_error or why

    def gave_up(self, kind: Kind, why: str, *, in_doubt: bool, now: float) -> None:
        """Count a request that had no answer before its deadline."""
        outcomes = self._stages[kind].outcomes
        if in_doubt:
            outcomes.in_doubt += 1
        else:
            outcomes.rejected += 1
        self._first_error = self._first_error or why
        self._last_end = max(self._last_end, now)

    def failed(self, kind: Kind, why: str, *, now: float) -> None:
        """Count a request that was answered with an error."""
        self._stages[kind].outcomes.failed += 1
        self._first_failure = self._first_failure or why
        self._last_end = max(self._last_end, now)

    def seen(self, *, due: float, acknowledged: float, now: float) -> None:
        """Count a probe that found its post in a follower's timeline."""
        self._lag.record(now - acknowledged)
        self._lag_now.record(now - acknowledged)
        self._lag_from_send.record(now - due)

    def unseen(self) -> None:
        """Count a probe that gave up."""
        self._unseen += 1

    def second(self, now: float) -> Progress:
        """Return the figures since the last call, and begin the next second."""
        posts, reads = self._stages[Kind.POST], self._stages[Kind.READ]
        progress = Progress(
            title=self._title,
            elapsed=now,
            seconds=self._arrivals.seconds,
            offered_posts=posts.offered_now,
            offered_reads=reads.offered_now,
            posts=posts.latency_now.count,
            reads=reads.latency_now.count,
            post=Latency.of(posts.latency_now),
            read=Latency.of(reads.latency_now),
            lag=Latency.of(self._lag_now),
            wrong=posts.outcomes.wrong + reads.outcomes.wrong + self._unseen,
            late=self._late_now,
        )
        for stage in self._stages.values():
            stage.offered_now = 0
            stage.latency_now = Histogram()
        self._lag_now = Histogram()
        self._late_now = 0.0
        return progress

    def report(self) -> LoadReport:
        """Return the figures of the whole run."""
        posts, reads = self._stages[Kind.POST], self._stages[Kind.READ]
        seconds = self._arrivals.seconds
        return LoadReport(
            seconds=seconds,
            took=self._last_end,
            offered_posts=self._arrivals.posts,
            offered_reads=self._arrivals.reads,
            posts=posts.outcomes,
            reads=reads.outcomes,
            posts_per_second=posts.in_time / seconds,
            reads_per_second=reads.in_time / seconds,
            post=Latency.of(posts.latency),
            read=Latency.of(reads.latency),
            lag_from_ack=Latency.of(self._lag),
            lag_from_send=Latency.of(self._lag_from_send),
            probes_unseen=self._unseen,
            late=Latency.of(self._late),
            first_error=self._first_failure or self._first_error,
        )
