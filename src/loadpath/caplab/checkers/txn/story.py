"""A cycle told in words, as Elle tells it."""

from typing import Any, Final

from loadpath.caplab.checkers.txn.cycles import Cycle
from loadpath.caplab.checkers.txn.graph import PROCESS, REALTIME, RW, WR, WW, Edge, Graph
from loadpath.caplab.checkers.verdict import Finding

MEANING: Final = {
    "G0": "writes are in a circle",
    "G1c": "information flows in a circle",
    "G-single": "one transaction missed a write that it must have followed (read skew)",
    "G-nonadjacent": "transactions missed writes of each other, with others between them",
    "G2-item": "transactions missed writes of each other (write skew)",
}
LONG_FORK: Final = (RW, WR, RW, WR)


def findings(graph: Graph, found: list[Cycle], forbidden: frozenset[str]) -> list[Finding]:
    """Return a finding for each cycle; one that is a long fork is also called so."""
    told = [_finding(graph, cycle, cycle.name, forbidden) for cycle in found]
    forks = [cycle for cycle in found if _is_long_fork(cycle)]
    return told + [_finding(graph, cycle, "long-fork", forbidden) for cycle in forks[:1]]


def _is_long_fork(cycle: Cycle) -> bool:
    """Return whether two readers saw two writes in opposite orders."""
    return tuple(edge.kind for edge in cycle.edges) == LONG_FORK


def _finding(graph: Graph, cycle: Cycle, name: str, forbidden: frozenset[str]) -> Finding:
    txns = [graph.txns[edge.source] for edge in cycle.edges]
    plain = next(each for each in MEANING if cycle.name.startswith(each))
    fork = "two readers saw two writes in opposite orders"
    lines = [f"{name}: {fork if name == 'long-fork' else MEANING[plain]}"]
    lines += [f"  {txn}" for txn in sorted(set(txns))]
    lines += [f"  {_step(graph, edge)}" for edge in cycle.edges]
    lines.append("  so each comes before itself: a contradiction")
    return Finding(
        name=name,
        words="\n".join(lines),
        operations=tuple(txn.start for txn in txns),
        forbidden=name in forbidden,
    )


def _step(graph: Graph, edge: Edge) -> str:
    return f"T{edge.source} before T{edge.target}: {_because(graph, edge)}"


def _because(graph: Graph, edge: Edge) -> str:
    source, target = f"T{edge.source}", f"T{edge.target}"
    if edge.kind == REALTIME:
        return f"{source} had ended when {target} began"
    why: Any = graph.why[edge.source, edge.target, edge.kind]
    if edge.kind == PROCESS:
        return f"process {why[0]} did {source} first"
    key, old, new = why
    return {
        WW: f"{target} wrote {new} to {key} right after {source} had written {old}",
        WR: f"{target} read {new} of {key}, which {source} had written",
        RW: f"{source} read {_version(old)} of {key} and not {new}, which {target} wrote next",
    }[edge.kind]


def _version(version: Any) -> str:
    return "nothing" if version is None else f"up to {version}"
