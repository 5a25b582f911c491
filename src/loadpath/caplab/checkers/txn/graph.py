"""A graph of transactions: who must come before whom, and why.

Edges have kinds, as bits: ww (wrote the version before), wr (wrote what was read), rw (read what
was overwritten), process and real-time order. Real time goes through barriers, nodes that are no
transactions: one for each completion, so that edges do not grow with the square.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from loadpath.caplab.checkers.txn.transactions import Txn

WW: Final = 1
WR: Final = 2
RW: Final = 4
PROCESS: Final = 8
REALTIME: Final = 16
Successors = Callable[[int], Iterable[int]]


class Edge(NamedTuple):
    """Hold one step of a cycle."""

    source: int
    kind: int
    target: int


class Graph:
    """Keep which transaction precedes which.

    Args:
        txns: The transactions, by number.
    """

    def __init__(self, txns: Sequence[Txn]) -> None:
        self.txns = txns
        self.out: list[dict[int, int]] = [{} for _ in txns]
        self.why: dict[tuple[int, int, int], str | tuple[object, ...]] = {}

    def add(self, kind: int, source: int, target: int, why: tuple[object, ...]) -> None:
        """Add an edge; one from a transaction to itself says nothing."""
        if source == target:
            return
        targets = self.out[source]
        before = targets.get(target, 0)
        if not before & kind:
            targets[target] = before | kind
            self.why[source, target, kind] = why

    def add_process_order(self) -> None:
        """Add the order in which each process did its transactions."""
        last: dict[object, int] = {}
        for txn in self.txns:
            if txn.process is None or txn.outcome == "fail":
                continue
            if txn.process in last:
                self.add(PROCESS, last[txn.process], txn.number, (txn.process,))
            last[txn.process] = txn.number

    def add_realtime_order(self) -> None:
        """Add that what ended precedes what began later."""
        barrier: int | None = None
        for _, ends, number in sorted(self._moments()):
            if not ends:
                if barrier is not None:
                    self.out[barrier][number] = REALTIME
                continue
            self.out.append({})
            if barrier is not None:
                self.out[barrier][len(self.out) - 1] = REALTIME
            barrier = len(self.out) - 1
            self.out[number][barrier] = self.out[number].get(barrier, 0) | REALTIME

    def _moments(self) -> Iterator[tuple[int, int, int]]:
        for txn in self.txns:
            if txn.outcome == "fail":
                continue
            yield txn.start, 0, txn.number
            if txn.end is not None:
                yield txn.end, 1, txn.number

    def successors(self, mask: int) -> Successors:
        """Return what follows a node by edges of the kinds in `mask`."""
        out = self.out
        return lambda node: [target for target, kinds in out[node].items() if kinds & mask]

    def apart(self, mask: int) -> Successors:
        """Return what follows in walks whose anti-dependencies are never next to each other.

        A node is two: 2n, and 2n + 1 when an anti-dependency led to it.
        """
        out = self.out

        def successors(state: int) -> list[int]:
            node, after = divmod(state, 2)
            found = [2 * target for target, kinds in out[node].items() if kinds & mask & ~RW]
            if not after:
                found += [2 * target + 1 for target, kinds in out[node].items() if kinds & RW]
            return found

        return successors


def knots(nodes: Iterable[int], successors: Successors) -> list[list[int]]:
    """Return the strongly connected components of more than one node.

    Source: Tarjan's algorithm, without recursion.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on: set[int] = set()
    found: list[list[int]] = []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        work = [(root, iter(successors(root)))]
        while work:
            node, rest = work[-1]
            for target in rest:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on.add(target)
                    work.append((target, iter(successors(target))))
                    break
                if target in on and index[target] < low[node]:
                    low[node] = index[target]
            else:
                work.pop()
                if work and low[node] < low[work[-1][0]]:
                    low[work[-1][0]] = low[node]
                if low[node] == index[node]:
                    knot = _popped(stack, on, node)
                    if len(knot) > 1:
                        found.append(knot)
    return found


def _popped(stack: list[int], on: set[int], node: int) -> list[int]:
    place = len(stack) - 1
    while stack[place] != node:
        place -= 1
    knot = stack[place:]
    del stack[place:]
    on.difference_update(knot)
    return knot


def path(source: int, target: int, successors: Successors, within: set[int]) -> list[int] | None:
    """Return the shortest path of nodes from `source` to `target`, None when there is none."""
    came: dict[int, int] = {source: source}
    queue = deque([source])
    while queue:
        node = queue.popleft()
        for each in successors(node):
            if each in within and each not in came:
                came[each] = node
                if each == target:
                    return _back(came, source, target)
                queue.append(each)
    return [source] if source == target else None


def _back(came: dict[int, int], source: int, target: int) -> list[int]:
    nodes = [target]
    while nodes[-1] != source:
        nodes.append(came[nodes[-1]])
    return nodes[::-1]
