"""The bank on a primary whose commits a majority has: consistent, and available to a majority.

Every answer, a read's too, waits for the quorum (a barrier), so a primary that was cut off can tell
nothing that is no longer true. Whoever cannot reach the quorum refuses within the deadline.

Source: PostgreSQL, synchronous replication (`ANY k`); patroni/patroni issue 1412 (a cancelled wait
answers success).
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadpath.caplab.bank.errors import (
    BankUnavailableError,
    InsufficientFundsError,
    KeyReusedError,
    TransferInDoubtError,
    TransferVoidError,
    UnknownAccountError,
)
from loadpath.caplab.bank.rules import (
    ISSUER,
    Outcome,
    Transfer,
    acknowledgements,
    checked_account,
    checked_key,
)
from loadpath.caplab.bank.sessions import Session, Sessions
from loadpath.caplab.cluster import Cluster
from loadpath.caplab.extras import asyncpg
from loadpath.local.cancellation import in_thread

DEADLINE: Final = 2.0
REFUSALS: Final = {
    "standby": "the node asked is no primary",
    "epoch": "another primary was elected",
    "quorum": "too few standbys follow the primary",
}
# asyncpg raises its internal error when a connection is lost between two steps of a statement.
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_ROLLED_BACK = (
    asyncpg.TransactionRollbackError,
    asyncpg.QueryCanceledError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.CannotConnectNowError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Name the primary that a node knows of.

    Attributes:
        name: Its node.
        epoch: Its term; a transfer of another one is refused.
    """

    name: str
    epoch: int


class _Lost(Exception):
    """Tell that a statement was sent and its answer did not come."""


class QuorumBank:
    """Do a bank's work as one node sees it.

    Args:
        cluster: The nodes and their links.
        node: Where this stands; it reaches databases over this node's links only.
        sessions: Lends connections.
        leader: Says whom this node takes for the primary now, None for nobody.
        deadline: Seconds until an answer, a refusal or doubt.
    """

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        sessions: Sessions,
        *,
        leader: Callable[[], Leader | None],
        deadline: float = DEADLINE,
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._sessions = sessions
        self._leader = leader
        self._deadline = deadline

    async def open_account(self, name: str) -> None:
        """Open an account with nothing in it; opening it again changes nothing.

        Raises:
            BankUnavailableError: No quorum answers; whether it is open is not known, ask again.
            ValueError: The name is none.
        """
        checked_account("name", name)
        await self._settled("SELECT bank_open($1, $2)", name)

    async def transfer(self, order: Transfer) -> None:
        """Move money; returns once a majority of the nodes has it on disk.

        Asking again with the same key moves nothing again and answers the same.

        Raises:
            BankUnavailableError: It was not tried; nothing happened.
            TransferInDoubtError: The answer was lost; `resolve()` settles it.
            InsufficientFundsError: The source holds less.
            UnknownAccountError: There is no such account.
            KeyReusedError: Another transfer has this key.
            TransferVoidError: The key was resolved as not having happened.
        """
        try:
            outcome = await self._ask(
                "SELECT bank_transfer($1, $2, $3, $4, $5)",
                order.key,
                order.source,
                order.target,
                order.amount,
            )
        except _Lost as lost:
            raise TransferInDoubtError(order.key, str(lost)) from lost.__cause__
        _raise_for(outcome, order)

    async def resolve(self, key: str) -> Outcome:
        """Settle what became of a key, for good.

        A transfer that has not happened by now never will: its key is void.

        Raises:
            BankUnavailableError: No quorum answers; ask again.
            ValueError: The key is none.
        """
        outcome: Outcome = await self._settled("SELECT bank_resolve($1, $2)", checked_key(key))
        return outcome

    async def balances(self) -> dict[str, int]:
        """Return every balance, as of one moment of this call (linearizable).

        Raises:
            BankUnavailableError: No quorum confirms them.
        """
        found: dict[str, int] = json.loads(await self._settled("SELECT bank_balances($1)"))
        return found

    async def check_availability(self) -> bool:
        """Return whether a read gets a quorum's answer right now: measured, not remembered."""
        try:
            await self.balances()
        except BankUnavailableError:
            return False
        return True

    async def _settled(self, statement: str, *arguments: str) -> Any:
        """Ask what may be asked twice: a lost answer means unavailable."""
        try:
            return await self._ask(statement, *arguments)
        except _Lost as lost:
            raise BankUnavailableError(f"no quorum answered: {lost}") from lost.__cause__

    async def _ask(self, statement: str, *arguments: str | int) -> Any:
        """Run one statement on the primary; its own COMMIT is part of the answer."""
        leader = self._leader()
        if leader is None:
            raise BankUnavailableError(f"{self._node} knows no primary: try again later")
        dsn = self._cluster.dsn(self._node, leader.name)
        sent = False
        try:
            async with asyncio.timeout(self._deadline), self._sessions.lend(dsn) as session:
                sent = True
                answer = await _answer(session, statement, leader.epoch, *arguments)
        except _ROLLED_BACK as error:
            raise BankUnavailableError(f"{leader.name} did nothing: {error}") from error
        except _LOST as error:
            said = str(error) or f"no answer in {self._deadline:g} s"
            if sent:
                raise _Lost(f"{leader.name}: {said}") from error
            raise BankUnavailableError(f"{leader.name} is out of reach: {said}") from error
        if answer in REFUSALS:
            raise BankUnavailableError(f"{leader.name}: {REFUSALS[answer]}")
        return answer


async def _answer(session: Session, statement: str, *arguments: str | int) -> Any:
    answer = await session.connection.fetchval(statement, *arguments)
    if session.unwaited:
        raise _Lost("the primary answered without its standbys")
    return answer


def _raise_for(outcome: str, order: Transfer) -> None:
    if outcome == "insufficient":
        raise InsufficientFundsError(f"{order.source} holds less than {order.amount}")
    if outcome == "unknown-account":
        raise UnknownAccountError(f"{order.source} or {order.target} is no account: open it first")
    if outcome == "reused":
        raise KeyReusedError(f"key {order.key!r} has another transfer: make up a new one")
    if outcome == "void":
        raise TransferVoidError(f"transfer {order.key!r} was given up: make up a new key")


def quorum_settings(nodes: int) -> dict[str, str]:
    """Return the settings with which whoever is primary waits for a majority at each commit."""
    names = ", ".join(f"n{number}" for number in range(1, nodes + 1))
    return {"synchronous_standby_names": f"ANY {acknowledgements(nodes)} ({names})"}


async def create_bank(cluster: Cluster, leader: Leader) -> None:
    """Make the bank's tables on the first primary.

    Raises:
        asyncpg.PostgresError: There is a bank already.
    """
    schema = await in_thread(Path(__file__).with_name("schema.sql").read_text)
    quorum = acknowledgements(len(cluster.names))
    connection = await asyncpg.connect(cluster.dsn(leader.name, leader.name))
    try:
        await connection.execute(schema)
        await connection.execute(
            "INSERT INTO bank_epoch (epoch, leader, quorum) VALUES ($1, $2, $3)",
            leader.epoch,
            leader.name,
            quorum,
        )
        await connection.execute("INSERT INTO accounts (name) VALUES ($1)", ISSUER)
    finally:
        await connection.close()
