"""Report how far a shard's writer got, and trim from the log what all shards have applied."""

from typing import Final

import asyncpg

AT_ONCE: Final = 50_000

_REPORT = """
INSERT INTO fanout_progress (shard, applied) VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET applied = excluded.applied, updated_at = now()
"""

# The identity's row is locked first, so that two writers never trim at once; what they had
# trimmed before is not looked for again.
_TRIM = """
WITH identity AS (
    SELECT trimmed FROM record_identity FOR UPDATE SKIP LOCKED
), target AS (
    SELECT trimmed, least(min(applied), trimmed + $2::bigint) AS upto
    FROM fanout_progress, identity WHERE shard < $1
    GROUP BY trimmed HAVING count(*) = $1 AND min(applied) > trimmed
), gone AS (
    DELETE FROM outbox USING target
    WHERE "offset" > target.trimmed AND "offset" <= target.upto
)
UPDATE record_identity SET trimmed = target.upto FROM target RETURNING record_identity.trimmed
"""


async def report(connection: asyncpg.Connection, shard: int, applied: int) -> None:
    """Tell the record how far a shard's rings are.

    Args:
        connection: To the record.
        shard: The shard.
        applied: Log offset up to which they have every event.
    """
    await connection.execute(_REPORT, shard, applied)


async def trim(connection: asyncpg.Connection, shards: int, *, at_once: int = AT_ONCE) -> int:
    """Delete events that all shards have applied; return up to which offset the log is gone now.

    Args:
        connection: To the record.
        shards: Number of shards; while one has never reported, nothing is deleted.
        at_once: Offsets covered by one transaction.
    """
    trimmed = 0
    while (upto := await connection.fetchval(_TRIM, shards, at_once)) is not None:
        trimmed = upto
    return trimmed
