"""Defects of the guide's bank on real servers, each by one scenario against it and ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Protocol

import asyncpg
import pytest

from loadpath.caplab.bank import (
    ISSUER,
    Leader,
    QuorumBank,
    Transfer,
    create_bank,
    quorum_settings,
)
from loadpath.caplab.bank.guide import GuideBank
from loadpath.caplab.bank.sessions import Sessions
from loadpath.caplab.cluster import Cluster, cluster, streaming
from loadpath.core.errors import LoadpathError

FUNDS = 1_000


class Bank(Protocol):
    """Do what a client of either bank can do."""

    async def transfer(self, order: Transfer) -> None:
        """Move money."""
        ...

    async def balances(self) -> dict[str, int]:
        """Return what accounts a and b hold."""
        ...

    def cut(self) -> None:
        """Cut the primary off."""
        ...

    async def heal(self) -> None:
        """Heal, and return when the bank works again."""
        ...

    async def equal(self) -> bool:
        """Return whether every node comes to hold the same."""
        ...


def order(key: str, target: str = "b", amount: int = 100) -> Transfer:
    """Return a transfer from a."""
    return Transfer(key=key, source="a", target=target, amount=amount)


async def failed(bank: Bank, wanted: Transfer) -> None:
    """Ask for a transfer that no caller would call successful."""
    async with asyncio.timeout(5):
        await bank.transfer(wanted)


async def asked_again_after_a_failure(bank: Bank) -> None:
    """Whoever heard of a failure asks again, and pays once."""
    bank.cut()
    with pytest.raises((LoadpathError, TimeoutError)):
        await failed(bank, order("again"))
    await bank.heal()
    await bank.transfer(order("again"))
    assert await bank.balances() == {"a": FUNDS - 100, "b": FUNDS + 100}


async def money_to_nobody(bank: Bank) -> None:
    """A transfer to an account that does not exist takes nothing."""
    with suppress(LoadpathError):
        await bank.transfer(order("nobody", target="nobody"))
    assert await bank.balances() == {"a": FUNDS, "b": FUNDS}


async def after_a_cut(bank: Bank) -> None:
    """Once a cut heals, every node holds the same."""
    bank.cut()
    with pytest.raises((LoadpathError, TimeoutError)):
        await failed(bank, order("cut"))
    await bank.heal()
    assert await bank.equal()


SCENARIOS = [asked_again_after_a_failure, money_to_nobody, after_a_cut]
Scenario = Callable[[Bank], Awaitable[None]]


class AsWritten:
    """Use the guide's bank."""

    def __init__(self, bank: GuideBank, nodes: Cluster) -> None:
        self._bank, self._nodes = bank, nodes
        self.transfer = bank.transfer

    async def balances(self) -> dict[str, int]:
        """Ask the primary."""
        return await self._bank.balances("n1")

    def cut(self) -> None:
        """Cut the primary off."""
        self._nodes.network.create_partition(["n1"])

    async def heal(self) -> None:
        """Heal."""
        self._nodes.network.resolve_partition()

    async def equal(self) -> bool:
        """Ask every node; nothing is left that could still change."""
        held = [await self._bank.balances(name) for name in self._nodes.names]
        return all(each == held[0] for each in held)


class Ours:
    """Use the quorum bank."""

    def __init__(self, bank: QuorumBank, nodes: Cluster) -> None:
        self._bank, self._nodes = bank, nodes
        self.transfer = bank.transfer

    async def balances(self) -> dict[str, int]:
        """Ask for a read that a majority confirms."""
        held = await self._bank.balances()
        return {"a": held["a"], "b": held["b"]}

    def cut(self) -> None:
        """Cut the primary off."""
        self._nodes.network.create_partition(["n1"])

    async def heal(self) -> None:
        """Heal."""
        self._nodes.network.resolve_partition()
        async with asyncio.timeout(30):
            while not await self._bank.check_availability():  # noqa: ASYNC110 - on servers
                await asyncio.sleep(0.05)

    async def equal(self) -> bool:
        """Ask every node until it has what the primary has."""
        wanted = await self._bank.balances()
        async with asyncio.timeout(30):
            for name in self._nodes.names:
                while await self._held(name) != wanted:  # noqa: ASYNC110 - on servers
                    await asyncio.sleep(0.05)
        return True

    async def _held(self, name: str) -> dict[str, int]:
        connection = await asyncpg.connect(self._nodes.dsn(name, name))
        try:
            rows = await connection.fetch("SELECT name, balance FROM accounts")
            return {row["name"]: row["balance"] for row in rows}
        finally:
            await connection.close()


@asynccontextmanager
async def as_written() -> AsyncIterator[Bank]:
    """Give the guide's bank with two accounts."""
    async with cluster(3, replicated=False) as nodes:
        bank = GuideBank(nodes)
        await bank.create()
        for name in nodes.names:
            connection = await asyncpg.connect(nodes.dsn(name, name))
            await connection.execute(f"INSERT INTO accounts VALUES ('a', {FUNDS}), ('b', {FUNDS})")
            await connection.close()
        yield AsWritten(bank, nodes)


@asynccontextmanager
async def ours() -> AsyncIterator[Bank]:
    """Give the quorum bank with two accounts."""
    leader = Leader(name="n1", epoch=1)
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(3, settings=quorum_settings(3)))
        sessions = await stack.enter_async_context(Sessions())
        async with asyncio.timeout(30):
            await streaming(nodes.nodes["n1"].server, 2)
            await create_bank(nodes, leader)
        bank = QuorumBank(nodes, "n1", sessions, leader=lambda: leader)
        for name in ("a", "b"):
            await bank.open_account(name)
            await bank.transfer(
                Transfer(key=f"fund-{name}", source=ISSUER, target=name, amount=FUNDS)
            )
        yield Ours(bank, nodes)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_the_guide_fails(scenario: Scenario) -> None:
    """The rendering fails the scenario."""
    async with as_written() as bank:
        with pytest.raises(AssertionError):
            await scenario(bank)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_ours_passes(scenario: Scenario) -> None:
    """Ours passes the same scenario."""
    async with ours() as bank:
        await scenario(bank)
