"""Keep which nodes are on one side of a cut; pure.

The guide's PartitionSimulator with its rule made true: two nodes on the same side can communicate,
whichever side it is. A further cut only ever separates; nothing but resolving joins again.

Guide: "CAP 정리 실증 프로젝트", PartitionSimulator.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from loadpath.caplab.faults.grudge import Grudge, checked_nodes, complete_grudge

MOST_CUT: Final = 3
RECOVERY: Final = (5.0, 15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Tell how nodes are cut.

    Attributes:
        available: Nodes that no cut named.
        cut: Nodes that were cut off.
        groups: Who can communicate with whom, each side sorted.
    """

    available: tuple[str, ...]
    cut: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        sides = " | ".join(" ".join(group) for group in self.groups)
        return f"{len(self.available)} nodes available, {len(self.cut)} cut off: {sides}"


class NodeGroups:
    """Hold who is cut off from whom.

    Args:
        nodes: Their names.
    """

    def __init__(self, nodes: Sequence[str]) -> None:
        checked_nodes(nodes)
        self._nodes = tuple(nodes)
        self._sides: dict[str, int] = dict.fromkeys(nodes, 0)
        self._cuts = 0

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes, in the order given."""
        return self._nodes

    def create_partition(self, nodes: Iterable[str]) -> None:
        """Cut these nodes off, together, from all others.

        Raises:
            ValueError: One is no node, or there is none.
        """
        cut = set(nodes)
        self._check(*cut)
        if not cut:
            raise ValueError("nodes must name at least one node to cut off")
        self._cuts += 1
        # A side of its own for every side that the nodes come from: a cut joins nobody.
        self._sides |= {
            node: self._sides[node] + (1 << self._cuts) for node in self._nodes if node in cut
        }

    def resolve_partition(self) -> None:
        """Join all nodes again."""
        self._sides = dict.fromkeys(self._nodes, 0)
        self._cuts = 0

    def is_node_partitioned(self, node: str) -> bool:
        """Return whether a cut named this node.

        Raises:
            ValueError: It is no node.
        """
        self._check(node)
        return self._sides[node] != 0

    def partitioned_nodes(self) -> list[str]:
        """Return the nodes that were cut off."""
        return [node for node in self._nodes if self._sides[node]]

    def available_nodes(self) -> list[str]:
        """Return the nodes that no cut named."""
        return [node for node in self._nodes if not self._sides[node]]

    def can_communicate(self, one: str, other: str) -> bool:
        """Return whether two nodes are on the same side of every cut.

        Raises:
            ValueError: One is no node.
        """
        self._check(one, other)
        return self._sides[one] == self._sides[other]

    def grudge(self) -> Grudge:
        """Return who does not hear whom."""
        return complete_grudge(self._groups())

    def status(self) -> Status:
        """Return the summary of this moment."""
        return Status(
            available=tuple(self.available_nodes()),
            cut=tuple(self.partitioned_nodes()),
            groups=tuple(tuple(sorted(group)) for group in self._groups()),
        )

    def _groups(self) -> list[list[str]]:
        groups: dict[int, list[str]] = {}
        for node in self._nodes:
            groups.setdefault(self._sides[node], []).append(node)
        return list(groups.values())

    def _check(self, *nodes: str) -> None:
        for node in nodes:
            if node not in self._sides:
                raise ValueError(f"{node!r} is no node; there are {', '.join(self._nodes)}")


def random_cut(nodes: Sequence[str], random: Random) -> list[str]:
    """Draw the nodes of a random cut: 1 to 3, as in the guide, and never all of them."""
    checked_nodes(nodes)
    return random.sample(nodes, random.randint(1, min(MOST_CUT, len(nodes) - 1)))


def recovery_delay(random: Random) -> float:
    """Draw the seconds until a cut is resolved: 5 to 15, as in the guide."""
    return random.uniform(*RECOVERY)
