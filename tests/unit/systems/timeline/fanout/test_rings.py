"""Rings: what is written is read, once, in order, and never torn."""

import tempfile
from collections import defaultdict
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadpath.systems.timeline.fanout.graph import FollowerGraph
from loadpath.systems.timeline.fanout.ringfile import (
    HEAD_BITS,
    SLACK,
    Geometry,
    Header,
    RingFile,
    Words,
)
from loadpath.systems.timeline.fanout.rings import CHUNK, RingTimelines, TimelineReader

RECORD = UUID(int=1)


def _made(folder: Path, *, capacity: int = 9, length: int = 5) -> tuple[RingTimelines, RingFile]:
    geometry = Geometry(shard=0, shards=1, capacity=capacity, length=length)
    file = RingFile.create(folder, geometry, RECORD)
    file.header[Header.READY] = 1
    return RingTimelines(file), file


def _reader(folder: Path, *, capacity: int = 9, length: int = 5) -> TimelineReader:
    return TimelineReader(folder, shards=1, capacity=capacity, length=length)


def _shown(reader: TimelineReader, user: int) -> list[int]:
    timeline = reader.newest(user)
    assert timeline is not None
    return timeline.ids.tolist()


def _graph(followers: dict[int, list[int]]) -> FollowerGraph:
    graph = FollowerGraph.empty()
    for author, rings in followers.items():
        for ring in rings:
            graph.follow(author, ring)
    return graph


def _words(*values: int) -> Words:
    return np.array(values, np.uint64)


@settings(max_examples=60, deadline=None)
@given(
    followers=st.dictionaries(
        st.integers(1, 8), st.lists(st.integers(0, 9), unique=True), max_size=8
    ),
    batches=st.lists(st.lists(st.integers(1, 9), max_size=90), max_size=6),
    length=st.integers(1, 40),
)
def test_rings_show_the_newest_posts_of_their_authors(
    followers: dict[int, list[int]], batches: list[list[int]], length: int
) -> None:
    """Any graph and batches, each applied twice, as after a crash, against plain lists."""
    graph, model, offset = _graph(followers), defaultdict(list), 0
    with tempfile.TemporaryDirectory() as name:
        rings, _ = _made(Path(name), length=length)
        reader = _reader(Path(name), length=length)
        for authors in batches:
            offsets = np.arange(offset + 1, offset + 1 + len(authors), dtype=np.uint64)
            offset += len(authors)
            for author, post in zip(authors, (offsets * np.uint64(3)).tolist(), strict=True):
                for ring in followers.get(author, []):
                    model[ring].append(post)
            stored = rings.apply(offsets, authors, offsets * np.uint64(3), graph)
            assert stored == sum(len(followers.get(author, [])) for author in authors)
            assert rings.apply(offsets, authors, offsets * np.uint64(3), graph) == 0
            for ring in range(10):
                assert _shown(reader, ring) == model[ring][::-1][:length]


def test_authors_with_more_followers_than_a_chunk_reach_all(tmp_path: Path) -> None:
    """A celebrity's post is stored in pieces, between posts of others."""
    capacity = 3 * CHUNK
    rings, _ = _made(tmp_path, capacity=capacity, length=2)
    everybody = np.arange(capacity, dtype=np.uint32)
    starts = np.array([0, 0, capacity, capacity + 2], np.int64)
    graph = FollowerGraph(starts, np.concatenate([everybody, everybody[:2]]))
    stored = rings.apply(_words(1, 2, 3), [2, 1, 2], _words(10, 20, 30), graph)
    reader = _reader(tmp_path, capacity=capacity, length=2)
    assert stored == capacity + 4
    assert _shown(reader, 0) == [30, 20]
    assert _shown(reader, 1) == [30, 20]
    assert _shown(reader, capacity - 1) == [20]


def test_no_reader_sees_slots_that_are_being_written(tmp_path: Path) -> None:
    """As many posts as can be stored before a commit change nothing of what is shown."""
    rings, file = _made(tmp_path)
    reader = _reader(tmp_path)
    graph = _graph({1: [3]})
    for first in range(1, 200, 7):
        offsets = np.arange(first, first + 7, dtype=np.uint64)
        rings.apply(offsets, [1] * 7, offsets, graph)
        shown = _shown(reader, 3)
        head = int(file.states[3]) & 0xFFFF
        row = file.slots[3 * (5 + SLACK) : 4 * (5 + SLACK)]
        before = row.copy()
        row[(head + np.arange(SLACK)) % len(row)] = 999_999
        assert _shown(reader, 3) == shown
        row[:] = before


def test_reader_beside_a_writer_never_sees_a_torn_ring(tmp_path: Path) -> None:
    """Whatever it reads is a run of consecutive posts, newest first, without holes."""
    rings, _ = _made(tmp_path, length=50)
    reader, graph, stop = _reader(tmp_path, length=50), _graph({1: [3]}), Event()

    def write() -> None:
        offset = 1
        while not stop.is_set():
            offsets = np.arange(offset, offset + 40, dtype=np.uint64)
            rings.apply(offsets, [1] * 40, offsets, graph)
            offset += 40

    thread = Thread(target=write)
    thread.start()
    try:
        seen = 0
        for _ in range(20_000):
            timeline = reader.newest(3)
            if timeline is not None and len(timeline.ids) > 1:
                seen += 1
                assert (np.diff(timeline.ids.astype(np.int64)) == -1).all()
    finally:
        stop.set()
        thread.join()
    assert seen > 100


def test_ring_that_changes_at_each_attempt_is_left_to_the_record(tmp_path: Path) -> None:
    """A reader gives up after a bounded number of attempts."""
    _, file = _made(tmp_path)
    reader = _reader(tmp_path)
    shard = reader._shards[0]
    assert shard is not None

    class Restless:
        reads = 0

        def __getitem__(self, at: int) -> int:
            if at == Header.RETIRED:
                return 0
            self.reads += 1
            return self.reads << HEAD_BITS

    shard._words = Restless()  # type: ignore[assignment]
    assert reader.newest(3) is None
    assert shard._words.reads < 1_000  # type: ignore[attr-defined]
    del file


def test_full_says_whether_older_posts_may_exist(tmp_path: Path) -> None:
    """A ring that never had more than it shows has everything."""
    rings, _ = _made(tmp_path)
    reader, graph = _reader(tmp_path), _graph({1: [3]})
    for offset in range(1, 7):
        rings.apply(_words(offset), [1], _words(offset), graph)
        timeline = reader.newest(3)
        assert timeline is not None
        assert timeline.full == (offset >= 5)


def test_dirty_ring_is_left_to_the_record_until_it_is_rewritten(tmp_path: Path) -> None:
    """It misses what is posted meanwhile, except what it is told to remember."""
    rings, _ = _made(tmp_path)
    reader, graph = _reader(tmp_path), _graph({1: [3]})
    rings.apply(_words(1), [1], _words(10), graph)
    rings.mark_dirty(3)
    assert reader.newest(3) is None
    assert rings.dirty() == [3]
    assert rings.offset_of(3) is None
    assert rings.apply(_words(2), [1], _words(20), graph) == 0
    rings.begin_rewrite(3)
    rings.apply(_words(3), [1], _words(30), graph)
    rings.rewrite(3, 2, _words(5, 10, 20))
    assert _shown(reader, 3) == [30, 20, 10, 5]
    assert rings.offset_of(3) == 3


def test_rewritten_ring_forgets_what_it_showed(tmp_path: Path) -> None:
    """Nothing of the old content comes back when the ring fills again."""
    rings, _ = _made(tmp_path)
    reader, graph = _reader(tmp_path), _graph({1: [3]})
    rings.apply(np.arange(1, 60, dtype=np.uint64), [1] * 59, np.arange(1, 60) + 100, graph)
    rings.mark_dirty(3)
    rings.begin_rewrite(3)
    rings.rewrite(3, 59, _words())
    assert _shown(reader, 3) == []
    rings.apply(_words(60), [1], _words(7), graph)
    assert _shown(reader, 3) == [7]


def test_rewrite_keeps_the_newest_when_much_was_missed(tmp_path: Path) -> None:
    """Snapshot and missed posts together are cut to the ring's length; memory is bounded."""
    rings, _ = _made(tmp_path)
    reader, graph = _reader(tmp_path), _graph({1: [3]})
    rings.mark_dirty(3)
    rings.begin_rewrite(3)
    for offset in range(1, 40):
        rings.apply(_words(offset), [1], _words(offset), graph)
    assert len(rings._missed[3]) == 5
    rings.rewrite(3, 0, _words(1000))
    assert _shown(reader, 3) == [39, 38, 37, 36, 35]


def test_cancelled_rewrite_stays_dirty(tmp_path: Path) -> None:
    """Another attempt remembers anew."""
    rings, _ = _made(tmp_path)
    rings.mark_dirty(3)
    rings.begin_rewrite(3)
    rings.cancel_rewrite(3)
    rings.cancel_rewrite(3)
    assert rings.dirty() == [3]


@pytest.mark.parametrize("user", [-1, 10, 11, 10**12])
def test_users_without_a_ring_are_left_to_the_record(tmp_path: Path, user: int) -> None:
    """Beyond the capacity, or no user at all."""
    _made(tmp_path)
    assert _reader(tmp_path).newest(user) is None


def test_new_users_have_an_empty_ring(tmp_path: Path) -> None:
    """Who signs up later needs no preparation."""
    _made(tmp_path)
    timeline = _reader(tmp_path).newest(9)
    assert timeline is not None
    assert (len(timeline.ids), timeline.full) == (0, False)


def test_reader_finds_files_made_later_and_leaves_retired_ones(tmp_path: Path) -> None:
    """`refresh` opens what is there; meanwhile the record is asked."""
    reader = _reader(tmp_path)
    assert not reader.complete
    assert reader.newest(3) is None
    assert reader.stats(0) is None
    _, file = _made(tmp_path)
    assert reader.newest(3) is None
    assert reader.refresh()
    assert reader.newest(3) is not None
    file.header[Header.RETIRED] = 1
    assert reader.newest(3) is None
    assert not reader.refresh()
    Geometry(shard=0, shards=1, capacity=9, length=5).path(tmp_path).unlink()
    _made(tmp_path)
    assert reader.refresh()
    assert reader.newest(3) is not None


def test_shards_keep_their_users_apart(tmp_path: Path) -> None:
    """User `id % shards` picks the file, `id // shards` the ring."""
    reader = TimelineReader(tmp_path, shards=3, capacity=30, length=5)
    for shard in range(3):
        geometry = Geometry(shard=shard, shards=3, capacity=30, length=5)
        file = RingFile.create(tmp_path, geometry, RECORD)
        file.header[Header.READY] = 1
        ids = np.array([shard + 1], np.uint64)
        RingTimelines(file).apply(_words(1), [1], ids, _graph({1: [4]}))
    reader.refresh()
    assert [_shown(reader, user) for user in (12, 13, 14, 15)] == [[1], [2], [3], []]


def test_users_just_above_the_capacity_are_left_to_the_record(tmp_path: Path) -> None:
    """With several shards a file has room for a few more users than have a ring."""
    for shard in range(4):
        geometry = Geometry(shard=shard, shards=4, capacity=10, length=5)
        RingFile.create(tmp_path, geometry, RECORD).header[Header.READY] = 1
    reader = TimelineReader(tmp_path, shards=4, capacity=10, length=5)
    reader.refresh()
    assert reader.newest(10) is not None
    assert reader.newest(11) is None
