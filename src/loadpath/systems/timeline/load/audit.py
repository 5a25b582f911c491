"""Look up every post after a load: in the record, in every ring, and page by page over HTTP."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from loadpath.systems.timeline.api.tokens import Tokens
from loadpath.systems.timeline.fanout.ringfile import DIRTY, PAGE, WORD, Geometry
from loadpath.systems.timeline.load.client import Client
from loadpath.systems.timeline.load.copying import copied
from loadpath.systems.timeline.load.crowd import TOKEN_LIFETIME
from loadpath.systems.timeline.load.places import Found, Places, Truth, shown
from loadpath.systems.timeline.load.report import AuditReport
from loadpath.systems.timeline.record.transaction import ONE_MOMENT, transaction
from loadpath.systems.timeline.settings import TimelineSettings

RINGS_AT_ONCE = 8_192
MOST_PAGES = 100
PAGE_LIMIT = 50
LOOK_EVERY = 0.1
OK = 200

_DOUBLED = """
SELECT count(*) - count(DISTINCT split_part(text, ' ', 1)) FROM posts WHERE starts_with(text, $1)
"""
_HOME = """
SELECT posts.id FROM posts JOIN follows ON follows.followee_id = posts.author_id
WHERE follows.follower_id = $1 ORDER BY posts.id DESC
"""


class _Post(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    posts: list[_Post]
    next_cursor: str | None


async def audit(
    *,
    postgres: str,
    url: str,
    acknowledged: Sequence[int],
    tags: Sequence[str],
    rings: TimelineSettings | None,
    written: Sequence[int] = (),
    undrained: int = 0,
    sample: int = 40,
    seed: int = 1,
    patience: float = 5.0,
) -> AuditReport:
    """Return what became of every post; the system must be up and its log drained.

    Args:
        postgres: DSN of the record.
        url: Where the system answers HTTP.
        acknowledged: Ids of all posts that were acknowledged over HTTP.
        tags: What the texts of the posts of load runs begin with.
        rings: Where the rings are; None looks at the record and over HTTP only.
        written: Ids of the posts that were written straight to the record.
        undrained: Log entries that were still not applied, for the report.
        sample: Home timelines to read page by page over HTTP.
        seed: Picks the sample.
        patience: Seconds to wait in all until those are as the record says.
    """
    began = time.monotonic()
    connection = await asyncpg.connect(postgres)
    try:
        truth = await _truth(connection)
        lost = await asyncio.to_thread(_lost, [*acknowledged, *written], truth)
        doubled = sum([await connection.fetchval(_DOUBLED, f"{tag}-") for tag in tags])
        found = Found()
        if rings is not None:
            found = await asyncio.to_thread(_compare, truth, rings)
            found.unknown += await _never_written(connection, found)
        users = await asyncio.to_thread(_sample, truth, sample, seed)
        different = await _different(connection, url, users, patience)
    finally:
        connection.terminate()
    return AuditReport(
        acknowledged=len(acknowledged),
        written=len(written),
        posts=len(truth.posts),
        pairs=found.pairs,
        rings=found.rings,
        lost=lost,
        doubled=doubled,
        missing=found.missing,
        repeated=found.repeated,
        foreign=found.foreign,
        unknown=found.unknown,
        unready=found.unready,
        timelines=len(users),
        different=different,
        undrained=undrained,
        seconds=time.monotonic() - began,
    )


async def _truth(connection: asyncpg.Connection) -> Truth:
    """Read all posts, and the followers of those who wrote them, in one snapshot."""
    async with transaction(connection, begin=ONE_MOMENT):
        posts, authors = await copied(
            connection, "SELECT id, author_id FROM posts ORDER BY id", widths=(8, 4)
        )
        writers = np.unique(authors).tolist()
        followers, followees = await copied(
            connection,
            "SELECT follower_id, followee_id FROM follows WHERE followee_id = ANY($1::int[])",
            writers,
            widths=(4, 4),
        )
    edges = await asyncio.to_thread(np.sort, (followers << 32) | followees)
    return Truth(posts, authors, edges)


def _lost(acknowledged: Sequence[int], truth: Truth) -> int:
    """Count acknowledgements without a post of their own."""
    promised = np.unique(np.asarray(acknowledged, np.int64))
    kept = int(np.isin(promised, truth.posts, assume_unique=True).sum())
    return len(acknowledged) - kept


def _compare(truth: Truth, settings: TimelineSettings) -> Found:
    """Compare every ring with the record (blocking)."""
    found = Found()
    places = Places(truth, length=settings.length)
    shards = [
        Geometry(
            shard=shard, shards=settings.shards, capacity=settings.capacity, length=settings.length
        )
        for shard in range(settings.shards)
    ]
    for first, end in places.ranges(settings.capacity, rings=RINGS_AT_ONCE):
        users, held = zip(
            *(_shown(Path(settings.rings), shard, first, end, found) for shard in shards),
            strict=True,
        )
        places.compare(first, end, np.concatenate(users), np.concatenate(held), found)
    return found


def _shown(
    folder: Path, geometry: Geometry, first: int, end: int, found: Found
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read what one shard shows to users `[first, end)`.

    Read, not mapped: reading a page that was never written takes no memory.
    """
    shard, shards = geometry.shard, geometry.shards
    low = -((shard - first) // shards)  # the first ring whose user is not before `first`
    high = -((shard - end) // shards)
    count = high - low
    with geometry.path(folder).open("rb") as file:
        file.seek(PAGE + low * WORD)
        states = np.fromfile(file, np.uint64, count)
        file.seek(geometry.slots_at + low * geometry.physical * WORD)
        slots = np.fromfile(file, np.int64, count * geometry.physical)
    found.rings += count
    found.unready += int((states == np.uint64(DIRTY)).sum())
    rows, held = shown(states, slots.reshape(count, geometry.physical), length=geometry.length)
    return (low + rows) * shards + shard, held


async def _never_written(connection: asyncpg.Connection, found: Found) -> int:
    """Count ids in rings that are newer than the snapshot and still nowhere in the record."""
    newer = list(found.newer)
    written = await connection.fetchval("SELECT count(*) FROM posts WHERE id = ANY($1)", newer)
    return len(newer) - int(written)


def _sample(truth: Truth, count: int, seed: int) -> list[int]:
    """Pick users by how many of the authors they follow: the more, the likelier."""
    followers = truth.edges >> 32
    drawn = np.random.default_rng(seed).integers(0, len(followers), count if len(followers) else 0)
    users: list[int] = np.unique(followers[drawn]).tolist()
    return users


async def _different(
    connection: asyncpg.Connection, url: str, users: Sequence[int], patience: float
) -> int:
    """Count users whose home timeline over HTTP is not what the record says."""
    tokens = Tokens(await connection.fetchval("SELECT secret FROM record_identity"))
    different = 0
    give_up = time.monotonic() + patience
    async with Client(url, connections=1) as client:
        for user in users:
            token = tokens.issue(user, lifetime=TOKEN_LIFETIME)
            headers = f"Authorization: Bearer {token}\r\n".encode()
            rows = await connection.fetch(_HOME, user)
            wanted = [row[0] for row in rows]
            different += not await _shows(client, headers, wanted, give_up)
    return different


async def _shows(client: Client, headers: bytes, wanted: list[int], give_up: float) -> bool:
    """Tell whether a home timeline is as wanted, or soon is: fan-out may still be at work."""
    while True:
        ids, whole = await _read_home(client, headers)
        if ids == (wanted if whole else wanted[: len(ids)]):
            return True
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(LOOK_EVERY)


async def _read_home(client: Client, headers: bytes) -> tuple[list[int], bool]:
    """Return what a home timeline shows page by page, and whether that is all of it."""
    ids: list[int] = []
    path = f"/timelines/home?limit={PAGE_LIMIT}"
    for _ in range(MOST_PAGES):
        answer = await client.get(path, headers=headers)
        if answer.status != OK:
            return ids, True
        page = msgspec.json.decode(answer.body, type=_Page)
        ids += [int(post.id) for post in page.posts]
        if page.next_cursor is None:
            return ids, True
        path = f"/timelines/home?limit={PAGE_LIMIT}&cursor={page.next_cursor}"
    return ids, False
