"""Defects of the guide's CAP chapter, each shown by one scenario against it and ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import pytest

from loadpath.caplab.bank import Leader, QuorumBank, create_bank, quorum_settings
from loadpath.caplab.bank.sessions import Sessions
from loadpath.caplab.cluster import Cluster, cluster, streaming
from loadpath.caplab.faults import NodeGroups
from tests.guide.as_written.caplab import PartitionFlag, PartitionSimulator

NODES = ["node1", "node2", "node3", "node4", "node5"]


class Groups(Protocol):
    """Tell who can communicate."""

    def create_partition(self, nodes: list[str], /) -> None:
        """Cut nodes off."""
        ...

    def can_communicate(self, one: str, other: str, /) -> bool:
        """Return whether two nodes can."""
        ...


def two_nodes_on_one_side(groups: Groups) -> None:
    """Two nodes that were cut off together are on the same side, and hear each other."""
    groups.create_partition(["node1", "node2"])
    assert groups.can_communicate("node3", "node4")
    assert not groups.can_communicate("node1", "node3")
    assert groups.can_communicate("node1", "node2")


def test_two_nodes_on_one_side_as_written() -> None:
    """The guide says that they cannot."""
    with pytest.raises(AssertionError):
        two_nodes_on_one_side(PartitionSimulator(NODES))


def test_two_nodes_on_one_side_ours() -> None:
    """Ours says that they can."""
    two_nodes_on_one_side(NodeGroups(NODES))


class Cuttable(Protocol):
    """Be a bank whose network can really be cut."""

    async def cut_the_network(self) -> None:
        """Take every standby away from the primary, as a switch that fails would: unannounced."""
        ...

    async def check_availability(self) -> bool:
        """Return whether the bank says that it is available."""
        ...


async def a_cut_that_nobody_announces(bank: Cuttable) -> None:
    """A bank that was available says that it no longer is, although nobody told it of the cut."""
    assert await bank.check_availability()
    await bank.cut_the_network()
    assert not await bank.check_availability()


class AsWritten(PartitionFlag):
    """The guide's flag over a network that is cut."""

    def __init__(self, network: "Ours") -> None:
        super().__init__()
        self._network = network

    async def cut_the_network(self) -> None:
        """Cut the same real network."""
        await self._network.cut_the_network()


class Ours:
    """The quorum bank on real servers."""

    def __init__(self, bank: QuorumBank, nodes: Cluster) -> None:
        self._bank, self._nodes = bank, nodes

    async def cut_the_network(self) -> None:
        """Cut the primary off."""
        self._nodes.network.create_partition(["n1"])

    async def check_availability(self) -> bool:
        """Ask the bank, which measures."""
        return await self._bank.check_availability()


@asynccontextmanager
async def ours() -> AsyncIterator[Ours]:
    """Give the quorum bank on three real servers."""
    leader = Leader(name="n1", epoch=1)
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(3, settings=quorum_settings(3)))
        sessions = await stack.enter_async_context(Sessions())
        async with asyncio.timeout(30):
            await streaming(nodes.nodes["n1"].server, 2)
            await create_bank(nodes, leader)
        yield Ours(QuorumBank(nodes, "n1", sessions, leader=lambda: leader), nodes)


async def test_a_cut_that_nobody_announces() -> None:
    """The guide's boolean stays as it was; ours notices the same cut."""
    async with ours() as bank:
        with pytest.raises(AssertionError):
            await a_cut_that_nobody_announces(AsWritten(bank))
    async with ours() as bank:
        await a_cut_that_nobody_announces(bank)
