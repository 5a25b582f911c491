"""Cut a primary off: the minority refuses, the majority elects another and goes on."""

import asyncio
from contextlib import AsyncExitStack

from loadpath.caplab.bank import ISSUER, Leader, QuorumBank, Transfer, create_bank, quorum_settings
from loadpath.caplab.bank.agent import agents
from loadpath.caplab.bank.sessions import Sessions
from loadpath.caplab.cluster import cluster, streaming


async def available(bank: QuorumBank) -> None:
    """Wait until the bank answers."""
    while not await bank.check_availability():  # noqa: ASYNC110 - it is measured
        await asyncio.sleep(0.1)


async def main() -> None:
    """Run the story on three real servers."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(3, settings=quorum_settings(3)))
        await streaming(nodes.nodes["n1"].server, 2)
        await create_bank(nodes, Leader(name="n1", epoch=1))
        running = await stack.enter_async_context(agents(nodes, seed=7))
        sessions = await stack.enter_async_context(Sessions())
        banks = {
            name: QuorumBank(nodes, name, sessions, leader=running[name].leader)
            for name in nodes.names
        }
        await available(banks["n2"])
        await banks["n2"].open_account("alice")
        await banks["n2"].transfer(Transfer(key="1", source=ISSUER, target="alice", amount=500))
        print("alice has", (await banks["n2"].balances())["alice"])

        nodes.network.create_partition(["n1"])
        print("cut off:", nodes.network.status())
        await available(banks["n2"])
        print("the majority elected", running["n2"].leader())
        print("the minority is available:", await banks["n1"].check_availability())
        print("alice still has", (await banks["n2"].balances())["alice"])


if __name__ == "__main__":
    asyncio.run(main())
