"""The guide's bank as it is written, kept to show what breaks: never use it for money.

It commits on the primary and then repeats the transfer on each replica, each a database of its own.
"""

import asyncio

from loadpath.caplab.bank.rules import Transfer
from loadpath.caplab.cluster import Cluster
from loadpath.caplab.extras import asyncpg

SCHEMA = """
CREATE TABLE accounts (account_id text PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transactions (
  from_account text, to_account text, amount bigint, timestamp timestamptz, status text
);
"""


class GuideBank:
    """Do what the guide's BankingService does, statement by statement.

    Args:
        cluster: Nodes that do not follow each other; the first is the primary.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._primary, *self._replicas = cluster.names

    async def create(self) -> None:
        """Make the tables on every node."""
        for name in self._cluster.names:
            connection = await self._connect(name)
            try:
                await connection.execute(SCHEMA)
            finally:
                connection.terminate()

    async def transfer(self, order: Transfer) -> None:
        """Move money on the primary, then on each replica; the guide has no use for a key.

        Raises:
            ValueError: The source does not exist or holds less.
            asyncpg.PostgresError: A server refused a statement.
        """
        connection = await self._connect(self._primary)
        try:
            await connection.execute("BEGIN")
            try:
                await self._move(connection, order)
                await connection.execute("COMMIT")
                await asyncio.gather(*(self._apply(name, order) for name in self._replicas))
            except Exception:
                await connection.execute("ROLLBACK")
                raise
        finally:
            connection.terminate()

    async def balances(self, node: str) -> dict[str, int]:
        """Return what one node holds."""
        connection = await self._connect(node)
        try:
            rows = await connection.fetch("SELECT account_id, balance FROM accounts")
            return {row["account_id"]: row["balance"] for row in rows}
        finally:
            connection.terminate()

    async def _move(
        self, connection: "asyncpg.Connection[asyncpg.Record]", order: Transfer
    ) -> None:
        balance = await connection.fetchval(
            "SELECT balance FROM accounts WHERE account_id = $1 FOR UPDATE", order.source
        )
        if balance is None:
            raise ValueError(f"{order.source} is no account")
        if balance < order.amount:
            raise ValueError(f"{order.source} holds less than {order.amount}")
        await _update(connection, order)
        await connection.execute(
            "INSERT INTO transactions (from_account, to_account, amount, timestamp, status) "
            "VALUES ($1, $2, $3, NOW(), 'COMPLETED')",
            order.source,
            order.target,
            order.amount,
        )

    async def _apply(self, replica: str, order: Transfer) -> None:
        connection = await self._connect(replica)
        try:
            await connection.execute("BEGIN")
            await _update(connection, order)
            await connection.execute("COMMIT")
        finally:
            connection.terminate()

    async def _connect(self, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self._cluster.dsn(self._primary, name))


async def _update(connection: "asyncpg.Connection[asyncpg.Record]", order: Transfer) -> None:
    for account, change in ((order.source, -order.amount), (order.target, order.amount)):
        await connection.execute(
            "UPDATE accounts SET balance = balance + $1 WHERE account_id = $2", change, account
        )
