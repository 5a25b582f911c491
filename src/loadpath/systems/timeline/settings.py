"""What the processes of the timeline system agree on, read from one TOML file."""

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]
LONGEST_TOKEN = 315_360_000.0
"""Seconds of ten years."""
MOST_USERS = 2**31 - 1
"""User ids are PostgreSQL integers."""


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say where one HTTP process listens and what it may hold.

    Attributes:
        host: Address to listen on.
        port: TCP port; several processes may share it.
        token_lifetime: Seconds until a bearer token expires, at most ten years.
        max_body: Largest request body (bytes).
        max_pending_posts: Posts that may wait for a group commit; more are rejected with 503.
        cached_posts: Most encoded posts kept in memory.
        cached_bytes: Most bytes of them.
        cached_users: Most users kept in memory.
        connections: PostgreSQL connections of this process.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    token_lifetime: Annotated[float, Meta(gt=0, le=LONGEST_TOKEN)] = 86_400.0
    max_body: Positive = 65_536
    max_pending_posts: Positive = 10_000
    cached_posts: Positive = 200_000
    cached_bytes: Positive = 134_217_728
    cached_users: Positive = 100_000
    connections: Annotated[int, Meta(ge=2)] = 8


class FanoutSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say how the fan-out writers read the log.

    Attributes:
        batch: Most events applied between two looks at the log.
        poll: Seconds between looks when no notification came (a safety net).
    """

    batch: Positive = 2_000
    poll: Annotated[float, Meta(gt=0, le=3_600)] = 0.5


class TimelineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configure every process of one timeline system.

    Attributes:
        postgres: DSN of the record.
        rings: Folder of the ring files, memory-backed for speed (`/dev/shm/…`).
        shards: Timeline shards; user `id % shards` picks one, each has one writer.
        capacity: Users that get a ring; later ones are read from the record.
        length: Posts that a ring shows; older ones are read from the record.
        api: The HTTP processes.
        fanout: The writers.
    """

    postgres: str
    rings: str
    shards: Annotated[int, Meta(ge=1, le=256)] = 1
    capacity: Annotated[int, Meta(ge=1, le=MOST_USERS)] = 1_000_000
    length: Annotated[int, Meta(ge=1, le=32_000)] = 800
    api: ApiSettings = ApiSettings()
    fanout: FanoutSettings = FanoutSettings()
