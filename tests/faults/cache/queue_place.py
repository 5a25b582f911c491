"""Where writes wait in a test, for this process and for one that is killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from loadpath.cache import PostgresQueue, StreamQueue, WriteQueue
from loadpath.resp import RespClient


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Name the servers of a queue; without a database it is a stream beside the cache."""

    url: str
    dsn: str = ""
    table: str = ""

    @property
    def arguments(self) -> list[str]:
        """What another process needs to find it."""
        return [self.url, self.dsn, self.table]

    @asynccontextmanager
    async def queue(self, client: RespClient, **limits: Any) -> AsyncIterator[WriteQueue]:
        """Open the queue."""
        if not self.dsn:
            yield StreamQueue(client, **limits)
            return
        async with asyncpg.create_pool(self.dsn, min_size=1, max_size=4) as pool:
            queue = PostgresQueue(pool, table=self.table, **limits)
            await queue.install()
            yield queue
