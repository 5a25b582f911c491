"""The Twitter-like system: posts, follows and home timelines.

Guide: chapter 7.1 (트위터 스타일 시스템). One transaction writes a post and its outbox event; one
writer per shard tails that log and fans each post out to rings in shared memory; the HTTP
processes read the rings and hydrate posts from the record.
"""

from loadpath.systems.timeline.extras import check

check()
