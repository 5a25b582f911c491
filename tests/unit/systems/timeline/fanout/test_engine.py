"""The fan-out engine against a model of dicts and lists, with crashes anywhere."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadpath.systems.timeline.fanout.engine import FanoutEngine, LogBatch, Rewrite
from loadpath.systems.timeline.fanout.graph import FollowerGraph
from loadpath.systems.timeline.fanout.ringfile import Geometry, RingFile
from loadpath.systems.timeline.fanout.rings import RingTimelines, stats_of
from tests.unit.systems.timeline.fanout.fanout_model import RECORD, Record, Writer, check

USERS = 6
ONE = Geometry(shard=0, shards=1, capacity=USERS, length=3)

_user = st.integers(1, USERS + 1)
_step = st.one_of(
    st.tuples(st.just("post"), _user, st.integers(1, 3)),
    st.tuples(st.just("post"), _user, st.just(1)),
    st.tuples(st.sampled_from(["follow", "unfollow"]), _user, _user),
    st.tuples(st.just("step"), st.integers(1, 9), st.none()),
    st.tuples(st.sampled_from(["read", "publish", "fail", "crash"]), st.none(), st.none()),
)


class World:
    """Run one random history."""

    def __init__(self, folder: Path, geometry: Geometry) -> None:
        self.folder, self.geometry, self.record = folder, geometry, Record()
        self.writer = Writer(folder, geometry, self.record)

    def do(self, name: str, first: Any, second: Any) -> None:
        """Take one step of the history."""
        actions: dict[str, Callable[[], object]] = {
            "post": lambda: self.record.post(first, gap=second),
            "follow": lambda: self.record.follow(first, second),
            "unfollow": lambda: self.record.unfollow(first, second),
            "step": lambda: self.writer.step(first),
            "read": lambda: self.writer.read_record(2),
            "publish": self.writer.publish,
            "fail": self.fail,
            "crash": self.crash,
        }
        actions[name]()

    def fail(self) -> None:
        """Lose the snapshots, as when the server restarts while it is asked."""
        self.writer.engine.give_back([snapshot.user for snapshot in self.writer.snapshots])
        self.writer.snapshots = []

    def crash(self) -> None:
        """Forget everything but the ring file."""
        self.writer = Writer(self.folder, self.geometry, self.record)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(_step, max_size=60), shards=st.integers(1, 2))
def test_any_history_with_crashes_ends_as_the_record_says(
    history: list[tuple[str, Any, Any]], shards: int
) -> None:
    """However posts, follows, batches, rewrites, lost snapshots and crashes interleave."""
    with tempfile.TemporaryDirectory() as name:
        geometry = Geometry(shard=shards - 1, shards=shards, capacity=USERS, length=3)
        world = World(Path(name), geometry)
        for step in history:
            world.do(*step)
        world.writer.catch_up()
        check(Path(name), geometry, world.record)


class CrashedError(Exception):
    """Stand for the death of the process."""


class Dying(np.ndarray[Any, Any]):
    """Store element by element, and die before the one whose turn comes when `left` is 0."""

    left = 10**9

    def __setitem__(self, key: Any, value: Any) -> None:
        places = np.arange(len(self))[key]
        values = np.broadcast_to(value, np.shape(places))
        for place, one in zip(np.ravel(places), np.ravel(values), strict=True):
            if Dying.left == 0:
                raise CrashedError
            Dying.left -= 1
            super().__setitem__(place, one)


def _mortal(writer: Writer) -> Writer:
    rings = writer.rings
    rings._states = rings._states.view(Dying)
    rings._slots = rings._slots.view(Dying)
    writer.engine._header = rings.header.view(Dying)
    return writer


def _known_users(folder: Path) -> Record:
    """Let everybody follow those before them, and the rings know it."""
    folder.mkdir()
    record = Record()
    for follower in range(1, USERS + 1):
        for followee in range(1, follower):
            record.follow(follower, followee)
    Writer(folder, ONE, record).catch_up()
    return record


def _live(writer: Writer) -> None:
    """Post often enough to go round a ring, with follows whose snapshots are overtaken."""
    record = writer.record
    for author in (1, 2, 1, 3, 1, 1, 2):
        record.post(author)
    writer.step(4)
    record.unfollow(5, 1)
    record.post(1)
    writer.step()
    writer.read_record()
    for author in (1, 4, 2):
        record.post(author)
    record.follow(1, 4)
    writer.step()
    writer.publish()
    record.post(4)
    writer.catch_up()


def test_dying_between_any_two_stores_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Each single store of a run is the last one once, rewrites and counters included."""
    stores, died = 0, True
    while died:
        folder = tmp_path / str(stores)
        record = _known_users(folder)
        Dying.left = stores
        try:
            _live(_mortal(Writer(folder, ONE, record)))
            died = False
        except CrashedError:
            stores += 1
        Dying.left = 10**9
        Writer(folder, ONE, record).catch_up()
        check(folder, ONE, record)
    assert stores > 150


def _engine(folder: Path, geometry: Geometry = ONE) -> tuple[FanoutEngine, RingTimelines]:
    rings = RingTimelines(RingFile.create(folder, geometry, RECORD))
    return FanoutEngine(rings, FollowerGraph.empty()), rings


def test_follow_takes_the_ring_out_of_service_until_it_is_rewritten(tmp_path: Path) -> None:
    """A reader never sees a ring that lacks the posts of someone just followed."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 2, 3, 4)]), now=0.0)
    assert rings.offset_of(3) is None
    assert stats_of(rings.header).dirty == 1
    assert engine.begin_rewrites(10) == [3]
    assert engine.finish_rewrite(Rewrite(3, 1, np.array([5], np.uint64)))
    assert rings.offset_of(3) == 1
    assert stats_of(rings.header).dirty == 0


def test_posts_after_the_snapshot_are_in_the_rewritten_ring(tmp_path: Path) -> None:
    """What the log brought while the record was read is added, what the snapshot had is not."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 2, 3, 4)]), now=0.0)
    engine.begin_rewrites(10)
    engine.apply(LogBatch.of([(2, 1, 4, 20), (3, 1, 4, 30)]), now=0.0)
    engine.finish_rewrite(Rewrite(3, 2, np.array([10, 20], np.uint64)))
    assert rings._slots[3 * 35 : 3 * 35 + 4].tolist() == [10, 20, 30, 0]
    assert rings.offset_of(3) == 3


def test_snapshot_ahead_of_the_log_is_not_doubled(tmp_path: Path) -> None:
    """Events that the snapshot already contained skip the ring when the log brings them."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 2, 3, 4)]), now=0.0)
    engine.begin_rewrites(10)
    engine.finish_rewrite(Rewrite(3, 2, np.array([10, 20], np.uint64)))
    engine.apply(LogBatch.of([(2, 1, 4, 20), (3, 1, 4, 30)]), now=0.0)
    assert rings._slots[3 * 35 : 3 * 35 + 4].tolist() == [10, 20, 30, 0]


def test_follow_after_the_snapshot_reads_the_record_once_more(tmp_path: Path) -> None:
    """A snapshot from before a later follow of the same user is not used."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 2, 3, 4)]), now=0.0)
    engine.begin_rewrites(10)
    engine.apply(LogBatch.of([(2, 2, 3, 5)]), now=0.0)
    assert not engine.finish_rewrite(Rewrite(3, 1, np.array([10], np.uint64)))
    assert rings.offset_of(3) is None
    assert engine.begin_rewrites(10) == [3]


def test_follow_that_a_ring_already_has_leaves_it_in_service(tmp_path: Path) -> None:
    """Replayed after a crash, or seen by a snapshot that was ahead of the log."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 2, 3, 4)]), now=0.0)
    engine.begin_rewrites(10)
    engine.finish_rewrite(Rewrite(3, 5, np.array([10], np.uint64)))
    engine.apply(LogBatch.of([(1, 2, 3, 4), (5, 3, 3, 4)]), now=0.0)
    assert rings.offset_of(3) == 5
    assert engine.waiting == 0


def test_follows_of_one_user_are_rewritten_once(tmp_path: Path) -> None:
    """A ring that waits is not queued again."""
    engine, _ = _engine(tmp_path)
    engine.apply(LogBatch.of([(n, 2, 3, 10 + n) for n in range(1, 9)]), now=0.0)
    assert engine.waiting == 1


def test_users_of_other_shards_and_beyond_the_capacity_have_no_ring(tmp_path: Path) -> None:
    """Their follows change nothing here."""
    engine, _ = _engine(tmp_path, Geometry(shard=1, shards=2, capacity=USERS, length=3))
    engine.apply(LogBatch.of([(1, 2, 2, 1), (2, 2, USERS + 1, 1), (3, 2, -1, 1)]), now=0.0)
    assert engine.waiting == 0
    assert engine.applied == 3


def test_authors_beyond_the_capacity_still_reach_their_followers(tmp_path: Path) -> None:
    """The capacity bounds rings, not authors."""
    record = Record()
    record.follow(1, 1_000_000)
    writer = Writer(tmp_path, ONE, record)
    record.post(1_000_000)
    writer.catch_up()
    check(tmp_path, ONE, record)


def test_empty_batch_changes_nothing(tmp_path: Path) -> None:
    """Nothing is counted and nothing committed."""
    engine, rings = _engine(tmp_path)
    before = rings.header.tolist()
    engine.apply(LogBatch.of([]), now=5.0)
    assert rings.header.tolist() == before


def test_lag_is_the_age_of_the_oldest_event(tmp_path: Path) -> None:
    """It is never negative, whatever the clocks say."""
    engine, rings = _engine(tmp_path)
    engine.apply(LogBatch.of([(1, 1, 1, 1)], created=9.5), now=10.0)
    assert stats_of(rings.header).lag == pytest.approx(0.5)
    engine.apply(LogBatch.of([(2, 1, 1, 1)], created=11.0), now=10.0)
    assert stats_of(rings.header).lag == 0
