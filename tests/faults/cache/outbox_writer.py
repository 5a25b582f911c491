"""Commit a change with its invalidation, and be killed before doing it."""

import asyncio
import sys

import asyncpg

from loadpath.cache import InvalidationOutbox, MultiLayerCache, ValkeyStore
from loadpath.resp import RespClient

TABLE = "outbox_left"


class DyingCache(MultiLayerCache):
    """A process that commits and is killed before its first invalidation."""

    async def delete(self, *_: str) -> int:
        """Say that the commit is done, and wait to be killed."""
        print("committed", flush=True)  # noqa: T201 - the test reads it
        await asyncio.Event().wait()
        return 0


async def main(url: str, dsn: str) -> None:
    """Change the row."""
    async with (
        RespClient(url) as client,
        DyingCache(ValkeyStore(client)) as cache,
        asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool,
    ):
        outbox = InvalidationOutbox(cache, pool, table=TABLE)
        async with outbox.transaction() as (connection, later):
            await connection.execute("UPDATE outbox_row SET value = 'new'")
            later.delete("row")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
