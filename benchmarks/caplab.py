"""How fast histories are judged: registers, a bank, transactions on lists, and reading EDN.

CPU time of this process; medians of a few rounds. No checker of this kind can be installed beside
ours from PyPI, so the goals are on our own figures. The histories are made by simulated stores, as
published ones are shaped: registers of 85 calls by five clients, some of which time out.
"""

import time
from collections.abc import Callable
from random import Random
from statistics import median
from typing import Any

from benchmarks.result import Result
from loadpath.caplab.checkers import Verdict, linearizable, list_append
from loadpath.caplab.history import History, Op, read_text
from loadpath.caplab.models import Bank, CasRegister

ROUNDS = 5
ACCOUNTS = 8
Apply = Callable[[str, Any], tuple[Any, Any]]


def run() -> list[Result]:
    """Return every figure of the checkers."""
    registers = [_recorded(Random(seed), 85, 5, *_register(Random(seed))) for seed in range(100)]
    bank = _recorded(Random(1), 10_000, 10, *_bank(Random(1)))
    lists = _recorded(Random(1), 20_000, 20, *_lists(Random(1)))
    text = "\n".join(_edn(op) for op in bank)
    balances = Bank(balances=dict.fromkeys(range(ACCOUNTS), 100))
    return [
        _at_most(
            "100 register histories of 85 operations",
            _seconds(lambda: [linearizable(each, CasRegister()) for each in registers]),
            0.3,
        ),
        _at_most(
            "10,000 bank operations by 10 processes",
            _seconds(lambda: [linearizable(bank, balances)]),
            2.0,
        ),
        _at_least(
            "list-append transactions, strict serializability",
            20_000 / _seconds(lambda: [list_append(lists)]),
            20_000,
            "transactions/s CPU",
        ),
        _at_least(
            "read EDN",
            len(bank) / _seconds(lambda: [read_text(text)]),
            20_000,
            "operations/s CPU",
        ),
    ]


def _at_most(name: str, ours: float, goal: float) -> Result:
    return Result(name=name, ours=ours, unit="s CPU", better="lower", goal=goal, goal_on="ours")


def _at_least(name: str, ours: float, goal: float, unit: str) -> Result:
    return Result(name=name, ours=ours, unit=unit, better="higher", goal=goal, goal_on="ours")


def _seconds(work: Callable[[], list[Verdict] | list[History]]) -> float:
    spent = []
    for _ in range(ROUNDS):
        start = time.process_time()
        done = work()
        spent.append(time.process_time() - start)
        if any(isinstance(each, Verdict) and not each.valid for each in done):
            raise RuntimeError("a right store was judged wrong")
    return median(spent)


def _recorded(
    random: Random, calls: int, processes: int, ask: Callable[[], tuple[str, Any]], apply: Apply
) -> History:
    """Return what clients saw whose calls took effect one by one, between question and answer."""
    ops: list[Op] = []
    open_: dict[int, tuple[str, Any, Any]] = {}
    fresh = processes
    clients = list(range(processes))
    while calls or open_:
        place = random.randrange(processes)
        process = clients[place]
        if process not in open_:
            if calls:
                calls -= 1
                f, value = ask()
                ops.append(Op(type="invoke", process=process, f=f, value=value))
                open_[process] = (f, value, None)
            continue
        f, value, answer = open_[process]
        if answer is None:
            open_[process] = (f, value, apply(f, value))
            continue
        lost = f in {"write", "cas"} and random.random() < 0.05
        ops.append(Op(type="info" if lost else answer[0], process=process, f=f, value=answer[1]))
        del open_[process]
        if lost:
            clients[place], fresh = fresh, fresh + 1
    return History(ops)


def _register(random: Random) -> tuple[Callable[[], tuple[str, Any]], Apply]:
    state: list[Any] = [None]

    def ask() -> tuple[str, Any]:
        f = random.choice(["read", "write", "cas"])
        pair = (random.randrange(5), random.randrange(5))
        return f, {"read": None, "write": pair[0], "cas": pair}[f]

    def apply(f: str, value: Any) -> tuple[str, Any]:
        if f == "read":
            return "ok", state[0]
        if f == "cas" and state[0] != value[0]:
            return "fail", value
        state[0] = value[1] if f == "cas" else value
        return "ok", value

    return ask, apply


def _bank(random: Random) -> tuple[Callable[[], tuple[str, Any]], Apply]:
    balances = dict.fromkeys(range(ACCOUNTS), 100)

    def ask() -> tuple[str, Any]:
        if random.random() < 0.5:
            return "read", None
        source, target = random.sample(range(ACCOUNTS), 2)
        return "transfer", {"from": source, "to": target, "amount": random.randint(1, 5)}

    def apply(f: str, value: Any) -> tuple[str, Any]:
        if f == "read":
            return "ok", dict(balances)
        if balances[value["from"]] < value["amount"]:
            return "fail", value
        balances[value["from"]] -= value["amount"]
        balances[value["to"]] += value["amount"]
        return "ok", value

    return ask, apply


def _lists(random: Random) -> tuple[Callable[[], tuple[str, Any]], Apply]:
    lists: dict[int, tuple[int, ...]] = {}
    given = [0]

    def ask() -> tuple[str, Any]:
        ops: list[tuple[str, int, Any]] = []
        for _ in range(random.randint(1, 4)):
            key = random.randrange(10) + 10 * (given[0] // 500)
            given[0] += 1
            read = random.random() < 0.5
            ops.append(("r", key, None) if read else ("append", key, given[0]))
        return "txn", tuple(ops)

    def apply(f: str, value: Any) -> tuple[str, Any]:
        del f
        done = []
        for kind, key, each in value:
            if kind == "append":
                lists[key] = (*lists.get(key, ()), each)
            done.append((kind, key, lists.get(key, ()) if kind == "r" else each))
        return "ok", tuple(done)

    return ask, apply


def _edn(op: Op) -> str:
    value = "nil" if op.value is None else str(op.value).replace(":", "").replace("'", ":")
    return f"{{:index {op.index} :process {op.process} :type :{op.type} :f :{op.f} :value {value}}}"
