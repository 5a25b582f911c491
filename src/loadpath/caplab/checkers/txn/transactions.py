"""Transactions out of calls: micro-operations on keys, and how each transaction ended."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from loadpath.caplab.history.calls import Call, Outcome, calls_of, is_pair
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import History, Process

F = Literal["r", "append", "w"]
NAMES: Final[dict[Any, F]] = {
    "r": "r",
    "read": "r",
    "append": "append",
    "a": "append",
    "w": "w",
    "write": "w",
}


class Micro(NamedTuple):
    """Hold one operation within a transaction."""

    f: F
    key: Any
    value: Any


class Txn(NamedTuple):
    """Hold one transaction.

    Attributes:
        number: Its position among the transactions.
        ops: What it did; reads of one that did not end with `ok` say nothing.
        outcome: How it ended.
        process: The client.
        start: Index of its invocation.
        end: Index of its completion, None when it may still happen.
    """

    number: int
    ops: tuple[Micro, ...]
    outcome: Outcome
    process: Process
    start: int
    end: int | None

    def __str__(self) -> str:
        ops = " ".join(f"{op.f} {op.key} {_shown(op.value)}" for op in self.ops[:8])
        more = " …" if len(self.ops) > 8 else ""  # noqa: PLR2004 - as many as fit a line
        return f"T{self.number} (operation {self.start}, process {self.process}: {ops}{more})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        last = " ".join(map(str, value[-6:]))
        return f"[{last}]" if len(value) <= 6 else f"[… {last}]"  # noqa: PLR2004 - fits a line
    return "nil" if value is None else str(value)


def transactions(history: History, write: F) -> list[Txn]:
    """Return the transactions of a history, failed ones included.

    Args:
        history: What the clients did.
        write: What a write is called: `append` or `w`.

    Raises:
        HistoryError: A call is no transaction of reads and such writes.
    """
    calls = calls_of(history, fails="absent", failed=True)
    return [_txn(number, call, write, history) for number, call in enumerate(calls)]


def _txn(number: int, call: Call, write: F, history: History) -> Txn:
    answered = call.outcome == "ok" and call.result is not None
    value = _unwrapped(call.result if answered else call.value)
    try:
        ops = tuple([Micro(NAMES[f], key, each) for f, key, each in value])
    except (TypeError, ValueError, KeyError):
        raise _no_transaction(call, write, history) from None
    if any(op.f not in ("r", write) for op in ops):
        raise _no_transaction(call, write, history)
    return Txn(number, ops, call.outcome, call.process, call.start, call.end)


def _unwrapped(value: Any) -> Any:
    """Return the transaction, also out of a `[key transaction]` of `jepsen.independent`."""
    if is_pair(value) and not isinstance(value[0], tuple) and isinstance(value[1], tuple):
        return tuple((f, (value[0], key), each) for f, key, each in value[1])
    return value


def _no_transaction(call: Call, write: F, history: History) -> HistoryError:
    said = (
        f"operation {call.start} is no transaction of [:r key value] and [:{write} key value]: "
        f"{str(call.value)[:60]}"
    )
    return HistoryError(said, file=history.name, line=call.line)


class Write(NamedTuple):
    """Hold who wrote a value, and whether it was the transaction's last to the key."""

    txn: Txn
    last: bool


Writes = defaultdict[Any, dict[Any, Write]]
"""Who wrote each value of each key."""


def writes(txns: Iterable[Txn]) -> tuple[Writes, str | None]:
    """Return who wrote what, and why reads do not tell whose value they saw, None where they do."""
    found: Writes = defaultdict(dict)
    unclear: str | None = None
    for txn, op, last in _each_write(txns):
        if op.value in found[op.key] and txn.outcome != "fail" and unclear is None:
            unclear = (
                f"{op.value} was written to {op.key} more than once (operation {txn.start}): "
                "no read tells which"
            )
        found[op.key][op.value] = Write(txn, last)
    return found, unclear


def _each_write(txns: Iterable[Txn]) -> Iterator[tuple[Txn, Micro, bool]]:
    """Yield every write, and whether it is the transaction's last one to its key."""
    for txn in txns:
        last = {op.key: place for place, op in enumerate(txn.ops) if op.f != "r"}
        for place, op in enumerate(txn.ops):
            if op.f != "r":
                yield txn, op, last[op.key] == place
