"""The guide's partition simulator over a network that is really cut."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from loadpath.caplab.faults.groups import NodeGroups, Status, random_cut, recovery_delay
from loadpath.caplab.faults.grudge import Target, grudge_for
from loadpath.caplab.faults.mesh import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class CutEvent:
    """Tell that a cut began or ended.

    Attributes:
        kind: `partition-created` or `partition-resolved`, the guide's names.
        nodes: Who was cut off; empty when a target named directions rather than nodes.
        status: How it is since.
    """

    kind: Literal["partition-created", "partition-resolved"]
    nodes: tuple[str, ...] = ()
    status: Status


class FaultyNetwork:
    """Cut a mesh of links by node groups or by Jepsen's targets, and tell whoever listens.

    Args:
        mesh: The links.
        nodes: Names of the nodes.
        seed: Decides every draw.
        on_event: Is told of each cut and of each end of one.
    """

    def __init__(
        self,
        mesh: Mesh,
        nodes: tuple[str, ...],
        *,
        seed: int = 0,
        on_event: Callable[[CutEvent], None] = lambda _: None,
    ) -> None:
        self._mesh = mesh
        self.groups = NodeGroups(nodes)
        self._random = Random(seed)  # noqa: S311 - a seed repeats a run
        self._on_event = on_event

    def create_partition(self, nodes: list[str]) -> None:
        """Cut these nodes off, together, from all others.

        Raises:
            ValueError: One is no node, or there is none.
        """
        self.groups.create_partition(nodes)
        self._mesh.apply(self._mesh.grudge | self.groups.grudge())
        self._tell("partition-created", nodes)

    def resolve_partition(self) -> None:
        """Join all nodes again."""
        self.groups.resolve_partition()
        self._mesh.apply(frozenset())
        self._tell("partition-resolved", [])

    def is_node_partitioned(self, node: str) -> bool:
        """Return whether a node was cut off."""
        return self.groups.is_node_partitioned(node)

    def can_communicate(self, one: str, other: str) -> bool:
        """Return whether bytes pass between two nodes, both ways."""
        same_side = self.groups.can_communicate(one, other)
        return same_side and not {(one, other), (other, one)} & self._mesh.grudge

    def cut_target(self, target: Target, *, primaries: tuple[str, ...] = ()) -> None:
        """Cut what one of Jepsen's names stands for.

        Raises:
            ValueError: There is no such target, or a primary is no node.
        """
        grudge = grudge_for(target, self.groups.nodes, random=self._random, primaries=primaries)
        self._mesh.apply(self._mesh.grudge | grudge)
        self._tell("partition-created", [])

    def simulate_random_partition(self) -> list[str]:
        """Cut off 1 to 3 nodes, and return which."""
        nodes = random_cut(self.groups.nodes, self._random)
        self.create_partition(nodes)
        return nodes

    async def simulate_partition_recovery(self) -> None:
        """Wait 5 to 15 s, then join all nodes again; cancelled, the cut stays."""
        await asyncio.sleep(recovery_delay(self._random))
        self.resolve_partition()

    def status(self) -> Status:
        """Return the summary of this moment."""
        return self.groups.status()

    def _tell(
        self, kind: Literal["partition-created", "partition-resolved"], nodes: list[str]
    ) -> None:
        self._on_event(CutEvent(kind=kind, nodes=tuple(nodes), status=self.status()))
