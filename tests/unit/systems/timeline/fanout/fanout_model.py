"""What fan-out should do, said as simply as possible: lists, dicts and a world that may crash."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import numpy as np

from loadpath.systems.timeline.fanout.engine import (
    FOLLOW,
    POST,
    UNFOLLOW,
    FanoutEngine,
    LogBatch,
    Rewrite,
)
from loadpath.systems.timeline.fanout.graph import FollowerGraph, GraphBuilder
from loadpath.systems.timeline.fanout.ringfile import Geometry, Header, RingFile
from loadpath.systems.timeline.fanout.rings import RingTimelines, TimelineReader

RECORD = UUID(int=7)


class Record:
    """Keep the log, who follows whom and who wrote what, as PostgreSQL would."""

    def __init__(self) -> None:
        self.log: list[tuple[int, int, int, int]] = []
        self.followees: dict[int, set[int]] = defaultdict(set)
        self.posts: dict[int, list[int]] = defaultdict(list)

    @property
    def last(self) -> int:
        """Return the newest offset."""
        return self.log[-1][0] if self.log else 0

    def post(self, author: int, *, gap: int = 1) -> None:
        """Write a post; other transactions took the offsets in the gap."""
        offset = self.last + gap
        self.posts[author].append(offset * 10)
        self.log.append((offset, POST, author, offset * 10))

    def follow(self, follower: int, followee: int) -> None:
        """Let one user follow another."""
        if follower != followee and followee not in self.followees[follower]:
            self.followees[follower].add(followee)
            self.log.append((self.last + 1, FOLLOW, follower, followee))

    def unfollow(self, follower: int, followee: int) -> None:
        """End that one user follows another."""
        if followee in self.followees[follower]:
            self.followees[follower].remove(followee)
            self.log.append((self.last + 1, UNFOLLOW, follower, followee))

    def home(self, user: int, length: int) -> list[int]:
        """Return the newest posts of a user's followees, newest first."""
        ids = [post for followee in self.followees[user] for post in self.posts[followee]]
        return sorted(ids, reverse=True)[:length]

    def after(self, offset: int, limit: int) -> LogBatch:
        """Return the events after an offset."""
        first = bisect_right(self.log, offset, key=lambda event: event[0])
        return LogBatch.of(self.log[first : first + limit])

    def graph(self, geometry: Geometry) -> FollowerGraph:
        """Return who follows whom now among the users of a shard."""
        builder = GraphBuilder(expected=1)
        for user, followees in self.followees.items():
            if user <= geometry.capacity and user % geometry.shards == geometry.shard:
                ids = np.array(sorted(followees), np.int64)
                builder.add(ids, np.full(len(ids), user // geometry.shards))
        return builder.build()


class Writer:
    """Stand for the writer's process: all it knows but the ring file is gone after a crash."""

    def __init__(
        self, folder: Path, geometry: Geometry, record: Record, graph: FollowerGraph | None = None
    ) -> None:
        self.record = record
        file = RingFile.open(folder, geometry, write=True)
        if file is None:
            file = RingFile.create(folder, geometry, RECORD)
            file.header[Header.READY] = 1
        self.rings = RingTimelines(file)
        self.engine = FanoutEngine(self.rings, record.graph(geometry) if graph is None else graph)
        self.snapshots: list[Rewrite] = []

    def step(self, limit: int = 1000) -> None:
        """Apply one batch."""
        self.engine.apply(self.record.after(self.engine.applied, limit), now=0.0)

    def read_record(self, limit: int = 1000) -> None:
        """Begin to rewrite rings: take the snapshot now, publish it later."""
        length = self.rings.geometry.length
        for user in self.engine.begin_rewrites(limit):
            shown = np.array(self.record.home(user, length)[::-1], np.uint64)
            self.snapshots.append(Rewrite(user, self.record.last, shown))

    def publish(self) -> None:
        """Put the rings back into service whose snapshots were taken."""
        snapshots, self.snapshots = self.snapshots, []
        for snapshot in snapshots:
            self.engine.finish_rewrite(snapshot)

    def catch_up(self) -> None:
        """Work until nothing is left to do."""
        self.publish()
        while self.engine.applied < self.record.last or self.engine.waiting:
            self.step()
            self.read_record()
            self.publish()


def check(
    folder: Path, geometry: Geometry, record: Record, *, users: Iterable[int] | None = None
) -> None:
    """Assert that rings (all of the shard) show what the record says, each post once."""
    reader = TimelineReader(
        folder, shards=geometry.shards, capacity=geometry.capacity, length=geometry.length
    )
    for user in users or range(geometry.shard, geometry.capacity + 1, geometry.shards):
        timeline = reader.newest(user)
        assert timeline is not None, f"user {user} has no ring"
        expected = record.home(user, geometry.length)
        assert timeline.ids.tolist() == expected, f"user {user}"
        assert timeline.full == (len(expected) == geometry.length)
