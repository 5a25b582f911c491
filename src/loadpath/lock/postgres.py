"""Locks in PostgreSQL: lease tables, and the ledger's rules as functions of the database.

A lock is a row that a call locks for the length of one statement: no session lock, no session
state, so that a transaction pooler in between changes nothing. Waiters ask, with the delays of
their options, or hear of their grant on a connection that they listen with.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from itertools import groupby
from typing import Any

from loadpath.lock.errors import LockUnavailableError, StoreInDoubtError
from loadpath.lock.extras import asyncpg
from loadpath.lock.ledger import Ask, Busy, Grant, Holding
from loadpath.lock.store import Held, OnGap, OnGrant, OnWanted

SCHEMA = (resources.files(__package__) / "schema.sql").read_text("utf-8")
_INSTALLING = 7_236_270_104  # any number that no other user of the database locks

_REFUSED = (
    ConnectionRefusedError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
_IN_DOUBT = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that was dropped while it lay in the pool
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresConnectionError,
)

_HELD = """
SELECT h.key, h.owner, h.token, h.weight,
       extract(epoch FROM h.expires - clock_timestamp())::float8 AS expires_in,
       (SELECT count(*) FROM loadpath_lock_waiter w WHERE w.key = h.key) AS waiting
  FROM loadpath_lock_holder h
 WHERE starts_with(h.key, $1) AND h.expires > clock_timestamp()
 ORDER BY h.key, h.token
"""


class PostgresLockStore:
    """Keep leases in a database.

    Args:
        pool: An asyncpg pool that stays the caller's; behind a transaction pooler make it with
            `statement_cache_size=0`. Every call is a transaction of its own.
        listener: A connection of its own to hear of grants with (LISTEN), past the pooler; it
            stays the caller's. Without it waiters ask.

    Attributes:
        tells: Whether waiters hear of a grant.
    """

    def __init__(self, pool: asyncpg.Pool, *, listener: asyncpg.Connection | None = None) -> None:
        self._pool = pool
        self._listener = listener
        self._channel = f"loadpath_lock_{secrets.token_hex(8)}" if listener else ""

    @property
    def tells(self) -> bool:
        """Whether waiters hear of a grant: there is a listener, and its connection lives."""
        return self._listener is not None and not self._listener.is_closed()

    async def install(self) -> None:
        """Create the tables and functions, or bring them up to date; safe to run at every start.

        Raises:
            asyncpg.PostgresError: The database refused; nothing was changed.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _INSTALLING)
            await connection.execute(SCHEMA)

    async def acquire(self, key: str, ask: Ask) -> Grant | Busy:
        """Give the lock to `ask.owner`, or a place in the queue."""
        (row,) = await self._ask(
            "SELECT * FROM loadpath_lock_acquire($1, $2, $3, $4, $5, $6, $7)",
            key,
            ask.owner,
            ask.weight,
            ask.capacity,
            ask.ttl,
            ask.patience,
            self._channel,
        )
        granted = row["granted"]
        return Busy(row["expires_in"], row["ahead"]) if granted is None else Grant(granted)

    async def renew(self, key: str, ask: Ask, ttl: float) -> bool:
        """Lengthen the lease of `ask.owner` to `ttl` from now; False when it has none."""
        query = "SELECT loadpath_lock_renew($1, $2, $3)"
        ((renewed,),) = await self._ask(query, key, ask.owner, ttl)
        return bool(renewed)

    async def release(self, key: str, ask: Ask, token: int = 0) -> bool:
        """Give back the lock of `ask.owner` and leave the queue; False when it had none."""
        del token
        query = "SELECT loadpath_lock_release($1, $2)"
        ((released,),) = await self._ask(query, key, ask.owner)
        return bool(released)

    async def held(self, prefix: str = "") -> list[Held]:
        """Return the locks that are held, of keys that begin with `prefix`."""
        rows = await self._ask(_HELD, prefix)
        found = []
        for key, group in groupby(rows, key=lambda row: row["key"]):
            of_key = list(group)
            found.append(Held(key, [_holding(row) for row in of_key], of_key[0]["waiting"]))
        return found

    async def evict(self, key: str, token: int | None = None) -> int:
        """Take the lock from its holders, or from that with a token; return from how many."""
        rows = await self._ask(
            "SELECT loadpath_lock_release(key, owner) FROM loadpath_lock_holder"
            " WHERE key = $1 AND ($2::bigint IS NULL OR token = $2)",
            key,
            token,
        )
        return sum(row[0] for row in rows)

    @asynccontextmanager
    async def listening(
        self, on_grant: OnGrant, on_gap: OnGap, on_wanted: OnWanted
    ) -> AsyncIterator[None]:
        """Hear within the block which waiters of this process were given their lock."""
        del on_wanted  # every release is one statement
        if self._listener is None:
            yield
            return
        listener = self._listener

        def told(*notification: Any) -> None:
            owner, _, token = notification[-1].partition(" ")
            on_grant(owner, int(token))

        def ended(_: Any) -> None:
            on_gap()

        await listener.add_listener(self._channel, told)
        listener.add_termination_listener(ended)
        try:
            yield
        finally:
            listener.remove_termination_listener(ended)
            if not listener.is_closed():
                await listener.remove_listener(self._channel, told)

    async def _ask(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        try:
            rows: list[asyncpg.Record] = await self._pool.fetch(query, *arguments)
        except _REFUSED as error:
            raise LockUnavailableError(f"PostgreSQL is not there: {error}") from error
        except _IN_DOUBT as error:
            raise StoreInDoubtError(f"no answer from PostgreSQL: {error}") from error
        return rows


def _holding(row: asyncpg.Record) -> Holding:
    return Holding(row["owner"], row["token"], row["expires_in"], row["weight"])
