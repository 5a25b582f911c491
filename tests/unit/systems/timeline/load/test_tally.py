"""Behaviour of the counting of a run."""

import pytest

from loadpath.systems.timeline.load.arrivals import Arrivals
from loadpath.systems.timeline.load.tally import Kind, Tally


def tally(seconds: float = 10) -> Tally:
    """Return an empty tally."""
    return Tally(Arrivals(posts=1, reads=1, seconds=seconds), title="mixed")


def test_latency_counts_from_the_scheduled_moment() -> None:
    """A request that the generator started late was late for its user."""
    counted = tally()
    counted.started(Kind.READ, due=1.0, now=1.5)
    counted.done(Kind.READ, due=1.0, now=2.0)
    report = counted.report()
    assert report.read.p50 == pytest.approx(1.0, rel=0.02)
    assert report.late.max == pytest.approx(0.5, rel=0.02)


def test_each_way_to_end_is_counted_apart() -> None:
    """Rejected, failed and in doubt never mean the same."""
    counted = tally()
    for _ in range(4):
        counted.started(Kind.POST, due=0.0, now=0.0)
    counted.done(Kind.POST, due=0.0, now=0.1)
    counted.failed(Kind.POST, "422 no", now=0.2)
    counted.gave_up(Kind.POST, "503", in_doubt=False, now=0.3)
    counted.gave_up(Kind.POST, "lost", in_doubt=True, now=0.4)
    posts = counted.report().posts
    assert (posts.scheduled, posts.done) == (4, 1)
    assert (posts.failed, posts.rejected, posts.in_doubt) == (1, 1, 1)
    assert posts.wrong == 3


def test_the_first_error_is_kept_for_people() -> None:
    """Later ones are mostly its consequences; a failure says more than a retry that went well."""
    counted = tally()
    counted.retried(Kind.POST, "connection refused")
    counted.retried(Kind.POST, "503")
    assert counted.report().first_error == "connection refused"
    counted.failed(Kind.POST, "500", now=1.0)
    counted.failed(Kind.POST, "422", now=1.0)
    assert counted.report().first_error == "500"
    assert counted.report().posts.retries == 2


def test_rates_count_what_was_answered_while_the_schedule_ran() -> None:
    """A backlog that is answered afterwards is no throughput."""
    counted = tally(seconds=10)
    for number in range(100):
        counted.done(Kind.READ, due=number / 10, now=number / 10 + 0.1)
    counted.done(Kind.READ, due=9.9, now=30.0)
    report = counted.report()
    assert report.reads_per_second == pytest.approx(10, abs=0.2)
    assert report.took == 30.0


def test_lag_is_told_from_the_acknowledgement_and_from_the_schedule() -> None:
    """Both are asked for: how stale is a timeline, and how long did the author's reader wait."""
    counted = tally()
    counted.seen(due=1.0, acknowledged=1.2, now=1.3)
    counted.unseen()
    report = counted.report()
    assert report.lag_from_ack.p50 == pytest.approx(0.1, rel=0.02)
    assert report.lag_from_send.p50 == pytest.approx(0.3, rel=0.02)
    assert report.probes_unseen == 1


def test_every_second_starts_from_nothing() -> None:
    """Progress shows what happened since the line before."""
    counted = tally()
    counted.started(Kind.POST, due=0.0, now=0.0)
    counted.done(Kind.POST, due=0.0, now=0.5)
    first = counted.second(1.0)
    second = counted.second(2.0)
    assert (first.title, first.offered_posts, first.posts, first.post.count) == ("mixed", 1, 1, 1)
    assert (second.offered_posts, second.posts, second.post.p99) == (0, 0, None)
