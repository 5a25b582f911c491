"""Registers that transactions write and read.

Every write to a key needs a value of its own. The order of the versions is inferred: nil is before
all, a version that a transaction read is before the one that it then wrote, and where the level
asks for real time, a write that had ended is before one that began later. A value that nobody
wrote may be what was there before the history; more than one of a key cannot.

Source: elle.rw-register.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from loadpath.caplab.checkers.txn.consistency import forbidden
from loadpath.caplab.checkers.txn.cycles import cycles
from loadpath.caplab.checkers.txn.graph import PROCESS, REALTIME, RW, WR, WW, Graph, knots
from loadpath.caplab.checkers.txn.list_append import orders
from loadpath.caplab.checkers.txn.story import findings
from loadpath.caplab.checkers.txn.transactions import Txn, Write, transactions, writes
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.history.history import History


class Registers:
    """Hold what is known of every register.

    Args:
        txns: The transactions.
    """

    def __init__(self, txns: Sequence[Txn]) -> None:
        self.txns = txns
        self.writes, self.unclear = writes(txns)
        self.readers: defaultdict[Any, defaultdict[Any, list[Txn]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for txn in txns:
            if txn.outcome == "ok":
                for key, value in _external_reads(txn):
                    self.readers[key][value].append(txn)

    def committed(self, key: Any) -> Iterator[tuple[Any, Txn]]:
        """Yield the versions of a key that others can see: of transactions that happened."""
        for value, (txn, last) in self.writes[key].items():
            seen = value in self.readers[key]
            if last and (txn.outcome == "ok" or (txn.outcome == "info" and seen)):
                yield value, txn


def _external_reads(txn: Txn) -> Iterator[tuple[Any, Any]]:
    """Yield the first read of each key that the transaction had not touched before."""
    touched = set()
    for f, key, value in txn.ops:
        if f == "r" and key not in touched:
            yield key, value
        touched.add(key)


def rw_register(history: History, *, consistency: str = "strict-serializable") -> Verdict:
    """Judge transactions of `[:w key value]` and `[:r key value]`.

    Args:
        history: What the clients did.
        consistency: The level that it should have, one of `LEVELS`.

    Raises:
        ValueError: There is no such level.
        HistoryError: A call is no such transaction.
    """
    wrong = forbidden(consistency)
    registers = Registers(transactions(history, "w"))
    layers = orders(wrong)
    versions = {key: _versions(registers, key, layers) for key in list(registers.writes)}
    graph = _graph(registers, versions, layers)
    found = [
        *_one_by_one(registers, versions, wrong),
        *findings(graph, cycles(graph, layers), wrong),
    ]
    return judged(
        f"rw-register, {consistency}",
        len(registers.txns),
        found,
        unknown=registers.unclear,
        figures={"keys": len(versions), "edges": len(graph.why)},
    )


Versions = dict[Any, set[Any]]


def _versions(registers: Registers, key: Any, layers: int) -> Versions:
    """Return which versions of a key are known to come after each."""
    after: Versions = {value: set() for value, _ in registers.committed(key)}
    after[None] = set(after) - {None}
    for value, txn in registers.committed(key):
        before = dict(_external_reads(txn)).get(key, value)
        if before != value and before in after and _reads_first(txn, key):
            after[before].add(value)
    if layers & REALTIME:
        _add_realtime(after, sorted(registers.committed(key), key=lambda each: each[1].start))
    return after


def _reads_first(txn: Txn, key: Any) -> bool:
    return next(op.f for op in txn.ops if op.key == key) == "r"


def _add_realtime(after: Versions, by_start: Sequence[tuple[Any, Txn]]) -> None:
    """Order writes that do not overlap; what follows from others is left out."""
    ended = sorted(
        ((txn.end, txn.start, value) for value, txn in by_start if txn.end is not None),
        key=lambda each: each[0],
    )
    frontier: list[tuple[int, Any]] = []
    at = 0
    for value, txn in by_start:
        while at < len(ended) and ended[at][0] < txn.start:
            _, start, done = ended[at]
            ends = {v: e for e, _, v in ended[:at]} if frontier else {}
            frontier = [(s, v) for s, v in frontier if ends[v] >= start]
            frontier.append((start, done))
            at += 1
        for _, before in frontier:
            after[before].add(value)


def _graph(registers: Registers, versions: dict[Any, Versions], layers: int) -> Graph:
    graph = Graph(registers.txns)
    for key, after in versions.items():
        _add_reads(graph, registers, key)
        if not _circle(after):
            _add_versions(graph, registers, key, after)
    if layers & PROCESS:
        graph.add_process_order()
    if layers & REALTIME:
        graph.add_realtime_order()
    return graph


def _add_reads(graph: Graph, registers: Registers, key: Any) -> None:
    for value, readers in registers.readers[key].items():
        write = registers.writes[key].get(value)
        if write is not None and write.txn.outcome != "fail":
            for reader in readers:
                graph.add(WR, write.txn.number, reader.number, (key, None, value))


def _add_versions(graph: Graph, registers: Registers, key: Any, after: Versions) -> None:
    known = registers.writes[key]
    for before, later in after.items():
        for value in later:
            writer = known[value].txn.number
            if before in known:
                graph.add(WW, known[before].txn.number, writer, (key, before, value))
            for reader in registers.readers[key].get(before, ()):
                graph.add(RW, reader.number, writer, (key, before, value))


def _circle(after: Versions) -> list[Any]:
    """Return versions that come after each other in a circle, none when there are none."""
    names = list(after)
    numbers = {value: number for number, value in enumerate(names)}
    found = knots(range(len(names)), lambda n: [numbers[v] for v in after[names[n]]])
    return [names[number] for number in found[0]] if found else []


def _one_by_one(
    registers: Registers, versions: dict[Any, Versions], wrong: frozenset[str]
) -> list[Finding]:
    """Return what single reads and single keys show; one finding of each name is enough."""
    found: dict[str, Finding] = {}
    for name, txn, words in _single_reads(registers, versions):
        if name not in found:
            found[name] = Finding(
                name=name,
                words=f"{name}: {txn} {words}",
                operations=(txn.start,),
                forbidden=name in wrong,
            )
    return list(found.values())


def _single_reads(
    registers: Registers, versions: dict[Any, Versions]
) -> Iterator[tuple[str, Txn, str]]:
    for txn in registers.txns:
        if txn.outcome == "ok":
            yield from _internal(txn)
    for key, readers in registers.readers.items():
        for value, txns in readers.items():
            yield from _of_version(registers.writes[key].get(value), key, value, txns)
        yield from _garbage(registers, key)
        yield from _lost_updates(key, readers)
    for key, after in versions.items():
        circle = _circle(after)
        if circle:
            txn = registers.writes[key][next(v for v in circle if v is not None)].txn
            yield "cyclic-versions", txn, f"is in a circle of the versions {circle} of {key}"


def _internal(txn: Txn) -> Iterator[tuple[str, Txn, str]]:
    """Find reads that do not fit what the transaction itself has read and written before."""
    known: dict[Any, Any] = {}
    for f, key, value in txn.ops:
        if f == "r" and known.get(key, value) != value:
            yield "internal", txn, f"read {value} of {key} where it knew {known[key]}"
        known[key] = value


def _of_version(
    write: Write | None, key: Any, value: Any, readers: Iterable[Txn]
) -> Iterator[tuple[str, Txn, str]]:
    if write is None:
        return
    for reader in readers:
        if write.txn.outcome == "fail":
            yield "G1a", reader, f"read {value} of {key}, which {write.txn} wrote, and it failed"
        if not write.last and write.txn is not reader:
            yield (
                "G1b",
                reader,
                f"read {value} of {key}, which was not the last write of {write.txn}",
            )


def _garbage(registers: Registers, key: Any) -> Iterator[tuple[str, Txn, str]]:
    """Find a key of which more than one version was read that nobody wrote."""
    known = registers.writes[key]
    unwritten = [value for value in registers.readers[key] if value not in known]
    if len(unwritten) > 1:
        value = next(each for each in unwritten if each is not None)
        words = f"read {value} of {key}, which nobody wrote, and others read {unwritten}"
        yield "garbage-read", registers.readers[key][value][0], words


def _lost_updates(key: Any, readers: dict[Any, list[Txn]]) -> Iterator[tuple[str, Txn, str]]:
    """Find transactions that read the same version of a key and then both wrote it."""
    for value, txns in readers.items():
        updated = [txn for txn in txns if any(op.key == key and op.f == "w" for op in txn.ops)]
        if len(updated) > 1:
            yield "lost-update", updated[1], f"and {updated[0]} both updated {value} of {key}"
