"""Read from the record what users should see whose followees changed, and rewrite their rings.

Many rings share one query, hence one snapshot, and a ring that changed often while it waited is
read once. It happens on a connection of its own, so that the log never waits for it.
"""

import asyncio
import logging
from typing import Final

import asyncpg
import numpy as np

from loadpath.systems.timeline.fanout.engine import FanoutEngine, Rewrite
from loadpath.systems.timeline.record.columns import from_array
from loadpath.systems.timeline.record.outage import FAILURES, Retries, connected, is_outage

AT_ONCE: Final = 32
# Statistics may still say that posts are few; one index scan per followee is always right.
SESSION: Final = {"enable_seqscan": "off", "jit": "off"}

_logger = logging.getLogger(__name__)

_SHOWN = """
SELECT chosen.id, (
    SELECT array_send(array_agg(shown.id)) FROM (
        SELECT newest.id FROM follows CROSS JOIN LATERAL (
            SELECT posts.id FROM posts
            WHERE posts.author_id = follows.followee_id ORDER BY posts.id DESC LIMIT $2
        ) AS newest
        WHERE follows.follower_id = chosen.id ORDER BY newest.id DESC LIMIT $2
    ) AS shown
), (SELECT greatest(trimmed, (SELECT max("offset") FROM outbox)) FROM record_identity)
FROM unnest($1::integer[]) AS chosen (id)
"""


class Rewriter:
    """Rewrite the dirty rings of one engine for as long as `run` runs."""

    def __init__(self, engine: FanoutEngine, *, length: int) -> None:
        """Work for an engine.

        Args:
            engine: The engine.
            length: Posts that a ring shows.
        """
        self._engine = engine
        self._length = length
        self._work = asyncio.Event()

    def wake(self) -> None:
        """Look for rings that wait; call it after each batch."""
        if self._engine.waiting:
            self._work.set()

    async def run(self, dsn: str) -> None:
        """Rewrite rings until cancelled, over restarts of the server.

        Args:
            dsn: Where the record is.
        """
        retries = Retries()
        while True:
            try:
                async with connected(dsn, settings=SESSION) as connection:
                    retries.succeeded()
                    await self._work_with(connection)
            except FAILURES as error:
                if not is_outage(error):
                    raise
                delay = retries.delay()
                _logger.warning("rings wait to be rewritten (%s), again in %.2f s", error, delay)
                await asyncio.sleep(delay)

    async def _work_with(self, connection: asyncpg.Connection) -> None:
        while True:
            self._work.clear()
            while self._engine.waiting:
                await self._rewrite_some(connection)
            await self._work.wait()

    async def _rewrite_some(self, connection: asyncpg.Connection) -> None:
        users = self._engine.begin_rewrites(AT_ONCE)
        try:
            for row in await connection.fetch(_SHOWN, users, self._length):
                self._engine.finish_rewrite(_rewrite(row))
        finally:
            self._engine.give_back(users)


def _rewrite(row: asyncpg.Record) -> Rewrite:
    newest_first = from_array(row[1], 8).astype(np.uint64)
    return Rewrite(user=row[0], offset=row[2], posts=newest_first[::-1])
