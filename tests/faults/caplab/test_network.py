"""Groups, targets and pauses do to real sockets and processes what they say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from loadpath.caplab.faults import CutEvent, FaultyNetwork, Mesh
from loadpath.testing import Conditions

NODES = ("n1", "n2", "n3", "n4", "n5")


class Nodes:
    """Five servers, each with a link to each other, and who hears whom when asked."""

    def __init__(self) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.events: list[CutEvent] = []

    async def answer(
        self, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Note who spoke, and answer."""
        said = await reader.readline()
        if said:
            self.heard.add((said.decode().strip(), node))
            writer.write(b"yes\n")
        writer.close()


@pytest.fixture
async def nodes() -> Nodes:
    """Give the nodes' memory."""
    return Nodes()


@pytest.fixture
async def mesh(nodes: Nodes) -> AsyncIterator[Mesh]:
    """Give links between five servers."""
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(Mesh(seed=7))
        for node in NODES:
            server = await asyncio.start_server(
                lambda reader, writer, node=node: nodes.answer(node, reader, writer),
                "127.0.0.1",
                0,
            )
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            for other in NODES:
                await mesh.join(other, node, "talk", port)
        yield mesh


@pytest.fixture
async def network(mesh: Mesh, nodes: Nodes) -> FaultyNetwork:
    """Give the network that can be cut."""
    return FaultyNetwork(mesh, NODES, seed=7, on_event=nodes.events.append)


async def exchange(mesh: Mesh, one: str, other: str) -> bool:
    """Say something over a link, and return whether an answer came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mesh.links[one, other, "talk"].port)
    try:
        async with asyncio.timeout(0.3):
            writer.write(f"{one}\n".encode())
            return await reader.readline() == b"yes\n"
    except TimeoutError:
        return False
    finally:
        writer.transport.abort()


async def conversations(mesh: Mesh) -> dict[tuple[str, str], bool]:
    """Let everybody talk to everybody at once."""
    pairs = [(one, other) for one in NODES for other in NODES]
    answers = await asyncio.gather(*(exchange(mesh, *pair) for pair in pairs))
    return dict(zip(pairs, answers, strict=True))


async def test_a_cut_is_what_it_says(mesh: Mesh, network: FaultyNetwork, nodes: Nodes) -> None:
    """Exactly those hear each other of whom it is said; both sides talk among themselves."""
    network.create_partition(["n1", "n2"])
    talks = await conversations(mesh)
    assert talks == {pair: network.can_communicate(*pair) for pair in talks}
    assert talks["n1", "n2"]
    assert not talks["n2", "n3"]
    network.resolve_partition()
    assert all((await conversations(mesh)).values())
    assert [event.kind for event in nodes.events] == ["partition-created", "partition-resolved"]
    assert nodes.events[0].nodes == ("n1", "n2")


async def test_a_one_way_grudge_loses_the_answer_only(mesh: Mesh, nodes: Nodes) -> None:
    """What n2 says does not reach n1: n2 hears the question, n1 not the answer."""
    mesh.apply(frozenset({("n2", "n1")}))
    assert not await exchange(mesh, "n1", "n2")
    assert ("n1", "n2") in nodes.heard
    assert not await exchange(mesh, "n2", "n1")
    assert ("n2", "n1") not in nodes.heard


async def test_targets_and_groups_add_up(mesh: Mesh, network: FaultyNetwork) -> None:
    """A second cut takes nothing of the first back; resolving takes all."""
    network.create_partition(["n1"])
    network.cut_target("primaries", primaries=("n5",))
    assert not network.can_communicate("n1", "n2")
    assert not network.can_communicate("n5", "n4")
    assert network.can_communicate("n2", "n3")
    mesh.weather(Conditions(delay=0.01))
    assert not await exchange(mesh, "n5", "n4")
    assert await exchange(mesh, "n2", "n3")
    network.resolve_partition()
    assert await exchange(mesh, "n5", "n4")


async def test_a_random_cut_is_really_cut(mesh: Mesh, network: FaultyNetwork) -> None:
    """The nodes drawn are off."""
    cut = network.simulate_random_partition()
    rest = next(node for node in NODES if node not in cut)
    assert network.groups.partitioned_nodes() == sorted(cut)
    assert not await exchange(mesh, cut[0], rest)
