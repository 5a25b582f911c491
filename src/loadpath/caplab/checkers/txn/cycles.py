"""Cycles, by the weakest name that fits: G0, G1c, G-single, G-nonadjacent, G2-item.

Each knot of the graph is looked at apart. A cycle that needs the order of a process or of real
time gets `-process` or `-realtime` behind its name.

Source: Adya; elle.txn.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from loadpath.caplab.checkers.txn.consistency import PROCESS as PROCESS_NAME
from loadpath.caplab.checkers.txn.consistency import REALTIME as REALTIME_NAME
from loadpath.caplab.checkers.txn.graph import (
    PROCESS,
    REALTIME,
    RW,
    WR,
    WW,
    Edge,
    Graph,
    knots,
    path,
)

LAYERS: Final = (("", 0), (PROCESS_NAME, PROCESS), (REALTIME_NAME, REALTIME))
TRIES: Final = 32
"""Cycles to compare for the shortest."""
ANY: Final = WW | WR | RW


class Cycle(NamedTuple):
    """Hold a cycle: each edge begins where the last one ended."""

    name: str
    edges: tuple[Edge, ...]


def cycles(graph: Graph, layers: int) -> list[Cycle]:
    """Return one short cycle for each name and knot.

    Args:
        graph: The transactions.
        layers: Which orders count beside the data: PROCESS, REALTIME, both or 0.
    """
    all_knots = knots(range(len(graph.out)), graph.successors(ANY | layers))
    found: list[Cycle] = []
    for knot in all_knots:
        found += _in_knot(graph, knot, layers)
    return found


def _in_knot(graph: Graph, knot: list[int], layers: int) -> Iterator[Cycle]:
    known: set[str] = set()
    for suffix, layer in LAYERS:
        if layer & ~layers:
            continue
        for cycle in _in_layer(graph, knot, layer):
            if cycle.name not in known:  # the plain one is the better proof
                known.add(cycle.name)
                yield cycle._replace(name=cycle.name + suffix)


def _in_layer(graph: Graph, whole: list[int], layer: int) -> Iterator[Cycle]:
    inside, follow = set(whole), graph.successors(ANY | layer)
    for knot in knots(whole, lambda node: [each for each in follow(node) if each in inside]):
        yield from _of_layer(graph, knot, layer)


def _of_layer(graph: Graph, knot: list[int], layer: int) -> Iterator[Cycle]:
    for name, kind, mask in (("G0", WW, WW), ("G1c", WR, WW | WR)):
        edges = _closed(graph, knot, kind, mask | layer)
        if edges:
            yield Cycle(name, edges)
    states = _apart_states(graph, knot, layer)
    one = _single(graph, knot, layer, states)
    if one:
        yield Cycle("G-single", one)
    apart = _nonadjacent(graph, knot, layer, states)
    if apart and sum(edge.kind == RW for edge in apart) > 1:
        yield Cycle("G-nonadjacent", apart)
    if not one and not apart:
        edges = _closed(graph, knot, RW, ANY | layer)
        if edges:
            yield Cycle("G2-item", edges)


def _closed(graph: Graph, nodes: list[int], kind: int, mask: int) -> tuple[Edge, ...]:
    """Return a short cycle with an edge of `kind`, the others of the kinds in `mask`."""
    inside = set(nodes)
    follow = graph.successors(mask)
    best: list[int] = []
    for knot in knots(nodes, lambda node: [each for each in follow(node) if each in inside]):
        within = set(knot)
        for source, target in _edges(graph, knot, within, kind, limit=TRIES):
            back = path(target, source, follow, within)
            if back and (not best or len(back) < len(best) - 1):
                best = [source, *back]
    return _named(graph, best, mask, kind)


def _edges(
    graph: Graph, knot: Iterable[int], within: set[int], kind: int, *, limit: int | None = None
) -> Iterator[tuple[int, int]]:
    count = 0
    for source in sorted(knot):
        for target, kinds in graph.out[source].items():
            if kinds & kind and target in within:
                yield source, target
                count += 1
                if count == limit:
                    return


def _single(graph: Graph, knot: list[int], layer: int, states: dict[int, int]) -> tuple[Edge, ...]:
    """Return a cycle with exactly one anti-dependency."""
    mask = WW | WR | layer
    follow, within = graph.successors(mask), set(knot)
    for source, target in _hopeful(graph, knot, states):
        back = path(target, source, follow, within)
        if back:
            return _named(graph, [source, *back], mask, RW)
    return ()


def _hopeful(graph: Graph, knot: list[int], states: dict[int, int]) -> list[tuple[int, int]]:
    """Return the anti-dependencies of cycles in which none are adjacent.

    First those whose overwriter began longest before the reader: the way back is the shortest.
    """
    edges = [
        (source, target)
        for source, target in _edges(graph, knot, set(knot), RW)
        if states.get(2 * source) == states.get(2 * target + 1, -1)
    ]
    return sorted(edges, key=lambda edge: graph.txns[edge[1]].start - graph.txns[edge[0]].start)


def _nonadjacent(
    graph: Graph, knot: list[int], layer: int, states: dict[int, int]
) -> tuple[Edge, ...]:
    """Return a cycle whose anti-dependencies are never next to each other."""
    follow = graph.apart(ANY | layer)
    within = set(states)
    for source, target in _hopeful(graph, knot, states):
        back = path(2 * target + 1, 2 * source, follow, within)
        if back:
            return tuple(_apart_edges(graph, [2 * source, *back], layer))
    return ()


def _apart_states(graph: Graph, knot: list[int], layer: int) -> dict[int, int]:
    """Return the knot's number of each state that is in one."""
    inside = set(knot)
    follow = graph.apart(ANY | layer)
    states = [state for node in knot for state in (2 * node, 2 * node + 1)]
    found = knots(states, lambda state: [each for each in follow(state) if each // 2 in inside])
    return {state: number for number, each in enumerate(found) for state in each}


def _apart_edges(graph: Graph, states: list[int], layer: int) -> Iterator[Edge]:
    mask = WW | WR | layer
    nodes = [(state // 2, state % 2) for state in states]
    hops = [
        Edge(source, RW if by_rw else _lowest(graph, source, target, mask), target)
        for (source, _), (target, by_rw) in pairwise(nodes)
    ]
    yield from _without_barriers(graph, hops)


def _named(graph: Graph, nodes: list[int], mask: int, first: int) -> tuple[Edge, ...]:
    """Return the edges along the nodes; the first one has the kind that makes the cycle's name."""
    hops = [
        Edge(source, first if place == 0 else _lowest(graph, source, target, mask), target)
        for place, (source, target) in enumerate(pairwise(nodes))
    ]
    return tuple(_without_barriers(graph, hops))


def _lowest(graph: Graph, source: int, target: int, mask: int) -> int:
    kinds = graph.out[source][target] & mask
    return kinds & -kinds


def _without_barriers(graph: Graph, hops: list[Edge]) -> Iterator[Edge]:
    """Join the steps over barriers to one step of real time between two transactions."""
    source: int | None = None
    for hop in hops:
        source = hop.source if source is None else source
        if hop.target < len(graph.txns):
            yield Edge(source, hop.kind, hop.target)
            source = None
