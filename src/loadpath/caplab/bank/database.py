"""What an agent does to its own node's PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from loadpath.caplab.bank.election import Position
from loadpath.caplab.cluster import REPLICATION, Cluster
from loadpath.caplab.extras import asyncpg

PATIENCE: Final = 3.0
LOOK_EVERY: Final = 0.02
# Nothing comes from anywhere, and all that was there has been replayed.
REPLAYED: Final = """
SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver) AND bool_or(
  backend_type = 'startup' AND wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream')
) FROM pg_stat_activity
"""
POSITION: Final = """
SELECT epoch, (pg_last_wal_replay_lsn() - '0/0')::bigint AS lsn FROM bank_epoch
"""


class Database:
    """Change the role of one node's server.

    Args:
        cluster: The nodes and their links.
        node: Whose server.
    """

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._server = cluster.nodes[node].server

    async def stand_by(self, conninfo: str) -> None:
        """Make the server a standby of whom a connection string leads to; empty: of nobody.

        A primary is killed and comes back as one: what it still waited for stays unacknowledged.
        """
        self._server.follow(conninfo)
        if not self._server.running:
            await self._server.start()
        async with self._session() as connection:
            primary = not await connection.fetchval("SELECT pg_is_in_recovery()")
            await connection.execute(
                "ALTER SYSTEM SET primary_conninfo = '{}'".format(conninfo.replace("'", "''"))
            )
            await connection.fetchval("SELECT pg_reload_conf()")
        if primary:
            await self._server.kill()
            await self._server.start()

    async def position(self) -> Position:
        """Return how much a standby of nobody knows, once all of it is replayed."""
        async with self._session() as connection:
            while not await connection.fetchval(REPLAYED):  # noqa: ASYNC110 - on a server
                await asyncio.sleep(LOOK_EVERY)
            row = await connection.fetchrow(POSITION)
        if row is None:
            raise ConnectionError(f"{self._node} has no bank")
        return Position(epoch=row["epoch"], lsn=row["lsn"])

    async def lead(self, epoch: int, followers: int) -> bool:
        """Promote the server once enough follow it; returns whether it takes writes."""
        async with self._session() as connection:
            following = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            )
            if following < followers:
                return False
            if await connection.fetchval("SELECT pg_is_in_recovery()"):
                await connection.fetchval("SELECT pg_promote(true, 2)")
            # The first record of the epoch: a majority has it before anything else is written.
            await connection.execute(
                "UPDATE bank_epoch SET epoch = $1, leader = $2", epoch, self._node
            )
            return True

    async def revived(self) -> bool:
        """Start the server if it does not run, and return whether it had to be."""
        if self._server.running:
            return False
        await self._server.start()
        return True

    async def is_primary(self) -> bool:
        """Return whether the server runs and takes writes."""
        if not self._server.running:
            return False
        async with self._session() as connection:
            return not await connection.fetchval("SELECT pg_is_in_recovery()")

    async def streams(self) -> bool:
        """Return whether the server receives from whom it follows."""
        async with self._session() as connection:
            return bool(
                await connection.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
                )
            )

    async def copy(self, leader: str) -> None:
        """Replace the server's data by the leader's, over their link."""
        self._server.follow(self._cluster.conninfo(self._node, leader))
        await self._server.recopy(self._cluster.link(self._node, leader, REPLICATION).port)
        await self._server.start()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        if not self._server.running:
            await self._server.start()
        connection = await asyncpg.connect(
            self._cluster.dsn(self._node, self._node), timeout=PATIENCE, command_timeout=PATIENCE
        )
        try:
            yield connection
        finally:
            connection.terminate()
