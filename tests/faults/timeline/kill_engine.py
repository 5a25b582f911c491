"""Kill the engine's process at random moments, hundreds of times; run by test_engine_kill.

    python kill_engine.py FOLDER KILLS SEED

Each round forks a writer that works as fast as it can, and kills it (SIGKILL) after a random time
of the order of one batch. After most kills another writer finishes the work, and the rings of some
users must show exactly what the record says; after the others the next round goes on. Rings are
longer than what one round adds, so that nothing that went wrong scrolls away unseen.
"""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

from loadpath.systems.timeline.fanout.graph import FollowerGraph
from loadpath.systems.timeline.fanout.ringfile import Geometry
from tests.unit.systems.timeline.fanout.fanout_model import Record, Writer, check

USERS = 1_500
FOLLOWEES = 200
GEOMETRY = Geometry(shard=0, shards=1, capacity=USERS, length=700)
KEPT = 12_000
SAMPLE = 60
LONGEST = 0.03


def grow(record: Record, graph: FollowerGraph, random: Random) -> None:
    """Let the users do some thousand things."""
    for _ in range(random.randint(1_000, 3_000)):
        if random.random() < 0.99:
            record.post(random.randint(1, USERS), gap=random.randint(1, 3))
        else:
            one, other = random.sample(range(1, USERS + 1), 2)
            if random.random() < 0.6:
                record.follow(one, other)
                graph.follow(other, one)
            else:
                record.unfollow(one, other)
                graph.unfollow(other, one)


def work(folder: Path, record: Record, graph: FollowerGraph, random: Random) -> None:
    """Be a writer until killed, or until there is nothing left to do."""
    writer = Writer(folder, GEOMETRY, record, graph)
    while writer.engine.applied < record.last or writer.engine.waiting or writer.snapshots:
        writer.step(random.randint(1, 300))
        if random.random() < 0.5:
            writer.publish()
            writer.read_record(random.randint(1, 3))


def kill_one(folder: Path, record: Record, graph: FollowerGraph, random: Random) -> bool:
    """Fork a writer and kill it; return whether it was still at work."""
    after, seed = random.uniform(0, LONGEST), random.random()
    child = os.fork()
    if child == 0:
        try:
            work(folder, record, graph, Random(seed))
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def forget_the_old(record: Record, applied: int) -> None:
    """Trim the log as far as it was applied, and posts that no ring shows any more."""
    posts = sorted(post for posts in record.posts.values() for post in posts)
    oldest = posts[-KEPT:][0]
    for author in record.posts:
        record.posts[author] = [post for post in record.posts[author] if post >= oldest]
    record.log = [event for event in record.log if event[0] >= applied]


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill so many writers, and print how many were at work."""
    random, record, at_work = Random(seed), Record(), 0
    for follower in range(1, USERS + 1):
        for followee in random.sample(range(1, USERS + 1), FOLLOWEES):
            record.follow(follower, followee)
    graph = record.graph(GEOMETRY)
    Writer(folder, GEOMETRY, record, graph).catch_up()
    for _ in range(kills):
        grow(record, graph, random)
        at_work += kill_one(folder, record, graph, random)
        if random.random() < 0.7:
            writer = Writer(folder, GEOMETRY, record, graph)
            writer.catch_up()
            check(folder, GEOMETRY, record, users=random.sample(range(USERS), SAMPLE))
            forget_the_old(record, writer.engine.applied)
    sys.stdout.write(f"{at_work} of {kills} writers were killed at work\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
