"""Lists that transactions append to and read: a read shows the whole order of the appends before.

Every append to a key needs a value of its own. The longest read of a key is its order; an append
that succeeded and was never read comes behind it. A transaction whose end nobody knows counts when
somebody has read what it appended.

Source: elle.list-append.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from loadpath.caplab.checkers.txn.consistency import forbidden
from loadpath.caplab.checkers.txn.cycles import cycles
from loadpath.caplab.checkers.txn.graph import PROCESS, REALTIME, RW, WR, WW, Graph
from loadpath.caplab.checkers.txn.story import findings
from loadpath.caplab.checkers.txn.transactions import Txn, Write, transactions, writes
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.history.history import History

List = tuple[Any, ...]


class Read(NamedTuple):
    """Hold one read that was answered."""

    txn: Txn
    key: Any
    value: List


class Lists:
    """Hold what is known of every list.

    Args:
        txns: The transactions.
    """

    def __init__(self, txns: Sequence[Txn]) -> None:
        self.txns = txns
        self.appends, self.unclear = writes(txns)
        self.reads = list(_reads(txns))
        self.order = _longest(self.reads)


def _reads(txns: Iterable[Txn]) -> Iterator[Read]:
    for txn in txns:
        if txn.outcome == "ok":
            for op in txn.ops:
                if op.f == "r":
                    yield Read(txn, op.key, op.value or ())


def _longest(reads: Iterable[Read]) -> dict[Any, List]:
    order: dict[Any, List] = {}
    for _, key, value in reads:
        if len(value) > len(order.get(key, ())):
            order[key] = value
    return order


def list_append(history: History, *, consistency: str = "strict-serializable") -> Verdict:
    """Judge transactions of `[:append key value]` and `[:r key [values]]`.

    Args:
        history: What the clients did.
        consistency: The level that it should have, one of `LEVELS`.

    Raises:
        ValueError: There is no such level.
        HistoryError: A call is no such transaction.
    """
    wrong = forbidden(consistency)
    lists = Lists(transactions(history, "append"))
    layers = orders(wrong)
    graph = _graph(lists, layers)
    found = [
        *_one_by_one(lists, wrong),
        *findings(graph, cycles(graph, layers), wrong),
    ]
    return judged(
        f"list-append, {consistency}",
        len(lists.txns),
        found,
        unknown=lists.unclear,
        figures={"keys": len(lists.appends), "edges": len(graph.why)},
    )


def orders(wrong: frozenset[str]) -> int:
    """Return which orders beside the data a level looks at."""
    process = PROCESS if any(name.endswith("-process") for name in wrong) else 0
    return process | (REALTIME if any(name.endswith("-realtime") for name in wrong) else 0)


def _graph(lists: Lists, layers: int) -> Graph:
    graph = Graph(lists.txns)
    behind = {key: _unread(lists, key) for key in lists.appends}
    for key, order in lists.order.items():
        _add_order(graph, lists.appends[key], key, order, behind.get(key, ()))
    places = {key: {v: n for n, v in enumerate(order)} for key, order in lists.order.items()}
    for read in lists.reads:
        _add_read(graph, lists, read, places.get(read.key, {}), behind.get(read.key, ()))
    if layers & PROCESS:
        graph.add_process_order()
    if layers & REALTIME:
        graph.add_realtime_order()
    return graph


def _unread(lists: Lists, key: Any) -> list[tuple[Any, int]]:
    """Return the appends that succeeded and that nobody read, the first of each transaction."""
    read = set(lists.order.get(key, ()))
    found: dict[int, Any] = {}
    for value, append in lists.appends[key].items():
        if value not in read and append.txn.outcome == "ok":
            found.setdefault(append.txn.number, value)
    return [(value, number) for number, value in found.items()]


def _add_order(
    graph: Graph,
    appends: dict[Any, Write],
    key: Any,
    order: List,
    behind: Iterable[tuple[Any, int]],
) -> None:
    owners = [appends.get(value) for value in order]
    for place, (before, after) in enumerate(pairwise(owners)):
        if before and after:
            why = (key, order[place], order[place + 1])
            graph.add(WW, before.txn.number, after.txn.number, why)
    if owners and owners[-1]:
        for value, number in behind:
            graph.add(WW, owners[-1].txn.number, number, (key, order[-1], value))


def _add_read(
    graph: Graph,
    lists: Lists,
    read: Read,
    places: dict[Any, int],
    behind: Iterable[tuple[Any, int]],
) -> None:
    number, key, value = read.txn.number, read.key, read.value
    seen = value[-1] if value else None
    appends = lists.appends[key]
    if value and seen in appends:
        graph.add(WR, appends[seen].txn.number, number, (key, None, seen))
    at = places.get(seen, -2) if value else -1
    order = lists.order.get(key, ())
    if at == -2:  # noqa: PLR2004 - it is in no order: the read is incompatible
        return
    if at + 1 == len(order):
        for each, writer in behind:
            graph.add(RW, number, writer, (key, seen, each))
    elif order[at + 1] in appends:
        after = order[at + 1]
        graph.add(RW, number, appends[after].txn.number, (key, seen, after))


def _one_by_one(lists: Lists, wrong: frozenset[str]) -> list[Finding]:
    """Return what single reads show; one finding of each name is enough."""
    found: dict[str, Finding] = {}
    for name, txn, words in _single_reads(lists):
        if name not in found:
            found[name] = Finding(
                name=name,
                words=f"{name}: {txn} {words}",
                operations=(txn.start,),
                forbidden=name in wrong,
            )
    return list(found.values())


def _single_reads(lists: Lists) -> Iterator[tuple[str, Txn, str]]:
    for read in lists.reads:
        yield from _of_read(lists, read)
    for txn in lists.txns:
        if txn.outcome == "ok":
            yield from _internal(txn)
    for key, order in lists.order.items():
        yield from _dirty_updates(lists.appends[key], key, order)
    yield from _lost_updates(lists)


def _of_read(lists: Lists, read: Read) -> Iterator[tuple[str, Txn, str]]:
    txn, key, value = read
    order, appends = lists.order.get(key, ()), lists.appends[key]
    if value != order[: len(value)]:
        yield (
            "incompatible-order",
            txn,
            f"read {list(value)} of {key}, another read was {list(order)}",
        )
    if len(set(value)) < len(value):
        yield "duplicate-elements", txn, f"read a value of {key} twice: {list(value)}"
    for each in value:
        append = appends.get(each)
        if append is None:
            yield "garbage-read", txn, f"read {each} of {key}, which nobody appended"
        elif append.txn.outcome == "fail":
            yield "G1a", txn, f"read {each} of {key}, which {append.txn} appended, and it failed"
    last = appends.get(value[-1]) if value else None
    if last is not None and not last.last and last.txn is not txn:
        yield "G1b", txn, f"read {value[-1]} of {key}, which was not the last append of {last.txn}"


def _internal(txn: Txn) -> Iterator[tuple[str, Txn, str]]:
    """Find reads that do not fit what the transaction itself has read and appended before."""
    known: dict[Any, List] = {}
    own: dict[Any, List] = {}
    for f, key, value in txn.ops:
        if f == "append":
            if key in known:
                known[key] += (value,)
            own[key] = (*own.get(key, ()), value)
            continue
        seen, mine = value or (), own.get(key, ())
        if known.get(key, seen) != seen or seen[len(seen) - len(mine) :] != mine:
            yield (
                "internal",
                txn,
                f"read {list(seen)} of {key}, which does not fit what it did before",
            )
        known[key] = seen


def _dirty_updates(
    appends: dict[Any, Write], key: Any, order: List
) -> Iterator[tuple[str, Txn, str]]:
    failed: Any = None
    for value in order:
        append = appends.get(value)
        if append is not None and append.txn.outcome == "fail":
            failed = value
        elif append is not None and failed is not None:
            yield (
                "dirty-update",
                append.txn,
                f"appended {value} to {key} after {failed}, which failed",
            )
            return


def _lost_updates(lists: Lists) -> Iterator[tuple[str, Txn, str]]:
    """Find transactions that read the same list of a key and then both appended to it."""
    seen: dict[tuple[Any, List], Txn] = {}
    for txn in lists.txns:
        if txn.outcome != "ok":
            continue
        for key, value in _read_then_written(txn):
            first = seen.setdefault((key, value), txn)
            if first is not txn:
                yield "lost-update", txn, f"and {first} both updated {list(value)} of {key}"


def _read_then_written(txn: Txn) -> Iterator[tuple[Any, List]]:
    first: dict[Any, List] = {}
    for f, key, value in txn.ops:
        if f == "r":
            first.setdefault(key, value or ())
        elif key in first:
            yield key, first[key]
