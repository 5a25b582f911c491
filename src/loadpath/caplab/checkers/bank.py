"""The invariant of a bank: every read shows the same accounts and the same total, none overdrawn.

Source: Jepsen's bank checker (`unexpected-key`, `nil-balance`, `wrong-total`, `negative-value`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.checkers.words import shown
from loadpath.caplab.history.calls import Call, calls_of
from loadpath.caplab.history.history import History
from loadpath.caplab.models.bank import account
from loadpath.caplab.models.model import unknown

Balances = dict[Any, Any]


def bank(history: History, *, total: int | None = None, negative: bool = False) -> Verdict:
    """Judge the reads of a bank.

    Args:
        history: What the clients did: `read` answers `{account balance}`.
        total: What all accounts hold together; None takes it from the first read.
        negative: Whether an account may be overdrawn.

    Raises:
        ModelError: A read answers no map.
    """
    calls = calls_of(history, fails="absent")
    reads = [(call, _balances(call)) for call in calls if call.f == "read" and call.outcome == "ok"]
    reads.sort(key=lambda each: each[0].end or 0)
    if not reads:
        return judged("bank", len(calls), [], unknown="nobody read the balances")
    first = reads[0][1]
    expected = sum(v for v in first.values() if v is not None) if total is None else total
    found: dict[str, Finding] = {}
    wrong = 0
    for call, balances in reads:
        errors = list(_errors(balances, set(first), expected, negative=negative))
        wrong += bool(errors)
        for name, words in errors:
            told = f"{name}: the read of operation {call.start} {words}"
            found.setdefault(name, Finding(name=name, words=told, operations=(call.start,)))
    figures = {"reads": len(reads), "wrong reads": wrong, "total": expected}
    return judged("bank", len(calls), found.values(), figures=figures)


def _balances(call: Call) -> Balances:
    if not isinstance(call.result, Mapping):
        raise unknown("bank", call, "reads that answer a map of balances")
    balances = {account(key): value for key, value in call.result.items()}
    if not all(value is None or isinstance(value, int | float) for value in balances.values()):
        raise unknown("bank", call, "balances that are numbers")
    return balances


def _errors(
    balances: Balances, accounts: set[Any], total: int, *, negative: bool
) -> Iterator[tuple[str, str]]:
    strangers = balances.keys() - accounts
    missing = accounts - balances.keys()
    if strangers or missing:
        yield "unexpected-key", f"shows {shown(strangers)} too many and lacks {shown(missing)}"
    empty = {key for key, value in balances.items() if value is None}
    if empty:
        yield "nil-balance", f"shows no balance of {shown(empty)}"
        return
    if sum(balances.values()) != total:
        yield "wrong-total", f"adds up to {sum(balances.values())}, not {total}: {shown(balances)}"
    overdrawn = {key: value for key, value in balances.items() if value < 0}
    if overdrawn and not negative:
        yield "negative-value", f"shows overdrawn accounts: {shown(overdrawn)}"
