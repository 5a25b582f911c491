"""Agents fail over on real servers, and nothing acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from random import Random

import pytest

from loadpath.caplab.bank import (
    ISSUER,
    BankUnavailableError,
    InsufficientFundsError,
    Leader,
    QuorumBank,
    Transfer,
    TransferInDoubtError,
    create_bank,
    quorum_settings,
)
from loadpath.caplab.bank.agent import agents
from loadpath.caplab.bank.sessions import Sessions
from loadpath.caplab.cluster import Cluster, cluster, streaming
from loadpath.caplab.faults import paused


@asynccontextmanager
async def bank_cluster(seed: int) -> AsyncIterator[tuple[Cluster, dict[str, QuorumBank]]]:
    """Give a bank on three nodes with agents."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(3, settings=quorum_settings(3), seed=seed))
        async with asyncio.timeout(30):
            await streaming(nodes.nodes["n1"].server, 2)
            await create_bank(nodes, Leader(name="n1", epoch=1))
        running = await stack.enter_async_context(agents(nodes, seed=seed))
        yield (
            nodes,
            {
                name: QuorumBank(
                    nodes,
                    name,
                    await stack.enter_async_context(Sessions()),
                    leader=running[name].leader,
                )
                for name in nodes.names
            },
        )


async def until_available(bank: QuorumBank) -> None:
    """Wait until a bank answers."""
    async with asyncio.timeout(60):
        while not await bank.check_availability():  # noqa: ASYNC110 - on servers
            await asyncio.sleep(0.05)


async def test_a_cut_off_primary_is_replaced_and_comes_back() -> None:
    """The majority elects another; what was acknowledged is there; the old one follows again."""
    async with bank_cluster(7) as (nodes, banks):
        await until_available(banks["n2"])
        await banks["n2"].open_account("a")
        await banks["n2"].transfer(Transfer(key="1", source=ISSUER, target="a", amount=5))
        nodes.network.create_partition(["n1"])
        lost = Transfer(key="2", source=ISSUER, target="a", amount=7)
        try:
            await banks["n1"].transfer(lost)
            raise AssertionError("a minority acknowledged")
        except (TransferInDoubtError, BankUnavailableError):
            pass
        await until_available(banks["n2"])
        assert (await banks["n2"].balances())["a"] == 5
        assert not await banks["n1"].check_availability()
        assert await banks["n2"].resolve("2") == "void"
        nodes.network.resolve_partition()
        await until_available(banks["n1"])
        assert (await banks["n1"].balances())["a"] == 5


@pytest.mark.parametrize(
    "seed", [7, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(100, 150))]
)
async def test_nothing_acknowledged_is_lost_through_failovers(seed: int) -> None:
    """Cuts, kills and pauses of any node: what was acknowledged is there, doubt is settled."""
    random = Random(seed)
    async with bank_cluster(seed) as (nodes, banks):
        await until_available(banks["n1"])
        for name in ACCOUNTS:
            await banks["n1"].open_account(name)
            await banks["n1"].transfer(
                Transfer(key=f"fund-{name}", source=ISSUER, target=name, amount=99)
            )
        heard = Heard()
        workers = [
            asyncio.create_task(heard.work(bank, Random(seed), name))
            for name, bank in banks.items()
        ]
        await harm(nodes, random)
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
        for bank in banks.values():
            await until_available(bank)
        balances = await banks["n1"].balances()
        outcomes = {key: await banks["n1"].resolve(key) for key in heard.all}
    assert {outcomes[key] for key in heard.acknowledged} <= {"done"}
    assert {outcomes[key] for key in heard.refused} <= {"void"}
    assert heard.acknowledged
    assert sum(balances.values()) == 0
    assert all(held >= 0 for name, held in balances.items() if name != ISSUER)


ACCOUNTS = ("a", "b", "c")


class Heard:
    """What clients heard of their transfers."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.doubtful: set[str] = set()

    @property
    def all(self) -> set[str]:
        """Every key."""
        return self.acknowledged | self.refused | self.doubtful

    async def work(self, bank: QuorumBank, random: Random, name: str) -> None:
        """Transfer until cancelled, the last one may be in doubt."""
        for number in count():
            key = f"{name}-{number}"
            source, target = random.sample(ACCOUNTS, 2)
            self.doubtful.add(key)
            with suppress(TransferInDoubtError, InsufficientFundsError):
                try:
                    await bank.transfer(
                        Transfer(key=key, source=source, target=target, amount=random.randint(1, 9))
                    )
                    self.acknowledged.add(key)
                except BankUnavailableError:
                    self.refused.add(key)
            await asyncio.sleep(0.02)


async def harm(nodes: Cluster, random: Random) -> None:
    """Do three kinds of harm, each to a random node."""
    nodes.network.cut_target("one")
    await asyncio.sleep(4)
    nodes.network.resolve_partition()
    await asyncio.sleep(2)
    await nodes.nodes[random.choice(nodes.names)].server.kill()
    await asyncio.sleep(3)
    async with paused(nodes.nodes[random.choice(nodes.names)].server):
        await asyncio.sleep(2)
