"""Decide who no longer hears whom; pure.

A grudge is a set of (from, to): what `from` sends does not reach `to`. Two nodes are cut from each
other when both directions are in it.

Source: Jepsen's nemesis (grudges, `one`, `minority-third`, `majority`, `majorities-ring`,
`primaries`).
"""

from collections.abc import Collection, Sequence
from random import Random
from typing import Final, Literal, get_args

Grudge = frozenset[tuple[str, str]]
Target = Literal["one", "minority-third", "majority", "majorities-ring", "primaries"]

TARGETS: Final[tuple[Target, ...]] = get_args(Target)
NO_GRUDGE: Final[Grudge] = frozenset()


def complete_grudge(groups: Sequence[Collection[str]]) -> Grudge:
    """Return the grudge with which no node hears one of another group."""
    return frozenset(
        (one, other)
        for mine in groups
        for others in groups
        if others is not mine
        for one in mine
        for other in others
    )


def majority(count: int) -> int:
    """Return the smallest number of nodes of which no two groups can be apart."""
    return count // 2 + 1


def majorities_ring(nodes: Sequence[str]) -> Grudge:
    """Return the grudge with which each node hears a majority, and no two the same one.

    Each node hears its neighbours in the order given, which stands for a ring.
    """
    count, size = len(nodes), majority(len(nodes))
    cut: set[tuple[str, str]] = set()
    for start in range(count):
        heard = [nodes[(start + step) % count] for step in range(size)]
        hearer = heard[size // 2]
        cut |= {(node, hearer) for node in nodes if node not in heard}
    return frozenset(cut)


def grudge_for(
    target: Target, nodes: Sequence[str], *, random: Random, primaries: Collection[str] = ()
) -> Grudge:
    """Draw the grudge that one of Jepsen's names stands for.

    Args:
        target: `one` cuts off one node; `minority-third` the largest number below a third (none
            of three nodes); `majority` splits into a majority and the rest; `majorities-ring`
            lets every node hear another majority; `primaries` cuts off some primaries, each alone.
        nodes: All nodes.
        random: Its seed decides which.
        primaries: Who takes writes now, for `primaries`.

    Raises:
        ValueError: There is no such target or primary, or a node is named twice.
    """
    checked_nodes(nodes)
    shuffled = random.sample(nodes, len(nodes))
    if target == "one":
        return _cut_off(shuffled, 1)
    if target == "minority-third":
        return _cut_off(shuffled, (len(nodes) - 1) // 3)
    if target == "majority":
        return _cut_off(shuffled, len(nodes) - majority(len(nodes)))
    if target == "majorities-ring":
        return majorities_ring(shuffled)
    if target == "primaries":
        return _primaries(shuffled, primaries, random)
    raise ValueError(f"target must be one of {', '.join(TARGETS)}: {target!r}")


def checked_nodes(nodes: Sequence[str]) -> None:
    """Refuse names that do not tell nodes apart.

    Raises:
        ValueError: There are fewer than two, or one is there twice.
    """
    if len(nodes) < 2 or len(set(nodes)) < len(nodes):  # noqa: PLR2004 - a cut has two sides
        raise ValueError(f"nodes must be two or more different names: {list(nodes)}")


def _cut_off(shuffled: Sequence[str], count: int) -> Grudge:
    return complete_grudge([shuffled[:count], shuffled[count:]])


def _primaries(shuffled: Sequence[str], primaries: Collection[str], random: Random) -> Grudge:
    unknown = sorted(set(primaries) - set(shuffled))
    if unknown:
        raise ValueError(f"primaries names nodes that are none: {', '.join(unknown)}")
    known = [node for node in shuffled if node in primaries]
    if not known:
        return NO_GRUDGE
    alone = known[: random.randint(1, len(known))]
    rest = [node for node in shuffled if node not in alone]
    return complete_grudge([rest, *([node] for node in alone)])
