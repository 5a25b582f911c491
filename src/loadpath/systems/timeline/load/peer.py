"""The same inserts into what a user would pick instead: a Valkey list per timeline."""

import time
from collections.abc import Iterator, Sequence

import redis

from loadpath.systems.timeline.load.cpu import cpu_times
from loadpath.systems.timeline.load.report import PeerReport

NAME = "Valkey, redis-py pipeline of LPUSH + LTRIM"
INSERTS_PER_PIPELINE = 500


def insert_into_valkey(
    url: str, pid: int, follows: Sequence[Sequence[int]], *, length: int, seconds: float
) -> PeerReport:
    """Push posts to their followers' lists for a while, as fast as one client can (blocking).

    Args:
        url: Address of the server.
        pid: Its process id.
        follows: Followers of the authors of the posts, one author after the other.
        length: Posts that a timeline keeps.
        seconds: How long (s).
    """
    with redis.Redis.from_url(url) as client:
        client.ping()
        server = cpu_times({"server": [pid]})["server"]
        own = time.thread_time()
        began = time.monotonic()
        inserts = 0
        for batch in _batches(follows):
            with client.pipeline(transaction=False) as pipeline:
                for follower, post in batch:
                    key = f"timeline:{follower}"
                    pipeline.lpush(key, post)
                    pipeline.ltrim(key, 0, length - 1)
                pipeline.execute()
            inserts += len(batch)
            if time.monotonic() - began >= seconds:
                break
        took = time.monotonic() - began
        own = time.thread_time() - own
        server = cpu_times({"server": [pid]})["server"] - server
    return PeerReport(name=NAME, inserts=inserts, seconds=took, cpu_seconds=own + server)


def _batches(follows: Sequence[Sequence[int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield (follower, post) pairs without end, post after post."""
    batch: list[tuple[int, int]] = []
    post = 1 << 62
    while True:
        for followers in follows:
            post += 1
            for follower in followers:
                batch.append((follower, post))
                if len(batch) == INSERTS_PER_PIPELINE:
                    yield batch
                    batch = []
