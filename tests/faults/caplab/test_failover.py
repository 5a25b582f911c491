"""Agents fail over on real servers, and nothing acknowledged is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from loadpath.caplab.bank import (
    ISSUER,
    BankUnavailableError,
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
    async with asyncio.timeout(20):
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
