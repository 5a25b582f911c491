"""Long fork: two reads of the same keys that saw two writes in opposite orders.

Each key is written once; a read asks for several. Parallel snapshot isolation allows it, snapshot
isolation does not.

Source: Jepsen's long-fork workload.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from loadpath.caplab.checkers.txn.transactions import Txn, transactions
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.history.history import History

Seen = frozenset[Any]


def long_fork(history: History) -> Verdict:
    """Judge reads `[[:r key value] …]` of keys that are written once.

    Raises:
        HistoryError: A call is no such transaction.
    """
    txns = transactions(history, "w")
    reads = [txn for txn in txns if txn.outcome == "ok" and all(op.f == "r" for op in txn.ops)]
    groups: defaultdict[Seen, dict[Seen, Txn]] = defaultdict(dict)
    for txn in reads:
        seen = frozenset(op.key for op in txn.ops if op.value is not None)
        groups[frozenset(op.key for op in txn.ops)].setdefault(seen, txn)
    found = [fork for states in groups.values() if (fork := _fork(states))]
    reason = _unfit(txns, reads)
    return judged("long-fork", len(txns), found, figures={"groups": len(groups)}, unknown=reason)


def _fork(states: dict[Seen, Txn]) -> Finding | None:
    """Return two reads of which neither saw all that the other saw."""
    chain = sorted(states, key=len)
    for less, more in pairwise(chain):
        if not less <= more:
            one, other = states[less], states[more]
            only, others = min(less - more, key=str), min(more - less, key=str)
            words = (
                f"long-fork: {one} saw {only} and not {others}, {other} saw {others} and not {only}"
            )
            return Finding(name="long-fork", words=words, operations=(one.start, other.start))
    return None


def _unfit(txns: list[Txn], reads: list[Txn]) -> str | None:
    if not reads:
        return "nobody read"
    written = [op.key for txn in txns for op in txn.ops if op.f == "w"]
    twice = len(written) > len(set(written))
    return "a key was written more than once: judge it as rw-register" if twice else None
