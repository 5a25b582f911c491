"""Every way to judge a history, by the name that the command line gives it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from loadpath.caplab.checkers.bank import bank
from loadpath.caplab.checkers.budget import Budget
from loadpath.caplab.checkers.convergence import convergence
from loadpath.caplab.checkers.counter import counter
from loadpath.caplab.checkers.linearizable import linearizable
from loadpath.caplab.checkers.long_fork import long_fork
from loadpath.caplab.checkers.session import session
from loadpath.caplab.checkers.sets import final_set, set_full
from loadpath.caplab.checkers.txn import forbidden, list_append, rw_register
from loadpath.caplab.checkers.verdict import Verdict
from loadpath.caplab.history.calls import Fails, calls_of
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import History
from loadpath.caplab.models.bank import Bank, account
from loadpath.caplab.models.containers import FifoQueue, GrowOnlySet, UnorderedQueue
from loadpath.caplab.models.counter import Counter
from loadpath.caplab.models.model import Model
from loadpath.caplab.models.mutex import Mutex
from loadpath.caplab.models.register import CasRegister, KeyValue, MultiRegister, Register

INITIAL: Final = frozenset({"register", "cas-register", "multi-register", "linearizable-bank"})
"""Models whose first state can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Hold how a history is to be judged; what does not concern a model has no effect on it.

    Args:
        fails: What `fail` means; None takes what the source of the history means by it.
        budget: How long to search for an order.
        initial: The first value of a register, `{register value}`, or `{account balance}`.
        consistency: The level that transactions should have.
        total: What a bank's accounts hold together; None takes it from the first read.
        negative: Whether an account may be overdrawn.

    Raises:
        ValueError: There is no such consistency level.
    """

    fails: Fails | None = None
    budget: Budget = field(default_factory=Budget)
    initial: Any = None
    consistency: str = "strict-serializable"
    total: int | None = None
    negative: bool = False

    def __post_init__(self) -> None:
        forbidden(self.consistency)


Judge = Callable[[History, Judging], Verdict]


def _by_model(make: Callable[[History, Judging], Model]) -> Judge:
    def judge(history: History, how: Judging) -> Verdict:
        model = make(history, how)
        return linearizable(history, model, fails=how.fails, budget=how.budget, explain=True)

    return judge


def _multi_register(history: History, how: Judging) -> Model:
    return MultiRegister(values=_mapping(history, how.initial) if how.initial is not None else {})


def _bank(history: History, how: Judging) -> Model:
    """Return a bank that begins with what is told, or with what was read before any transfer."""
    first = _mapping(history, how.initial) if how.initial is not None else _first_read(history)
    balances = {account(key): value for key, value in first.items()}
    return Bank(balances=balances, negative=how.negative)


def _mapping(history: History, initial: Any) -> Mapping[Any, Any]:
    if not isinstance(initial, Mapping):
        raise HistoryError(f"initial must be a map, got {initial!r}", file=history.name)
    return initial


def _first_read(history: History) -> Mapping[Any, Any]:
    calls = calls_of(history, fails="absent")
    begun = min((call.start for call in calls if call.f == "transfer"), default=len(history))
    for call in calls:
        early = call.f == "read" and call.outcome == "ok" and (call.end or 0) < begun
        if early and isinstance(call.result, Mapping):
            return call.result
    said = "no read ended before the first transfer: tell the balances, --initial '{0 100, 1 100}'"
    raise HistoryError(said, file=history.name)


JUDGES: Final[dict[str, Judge]] = {
    "register": _by_model(lambda _, how: Register(initial=how.initial)),
    "cas-register": _by_model(lambda _, how: CasRegister(initial=how.initial)),
    "multi-register": _by_model(_multi_register),
    "kv": _by_model(lambda _, __: KeyValue()),
    "mutex": _by_model(lambda _, __: Mutex()),
    "queue": _by_model(lambda _, __: FifoQueue()),
    "unordered-queue": _by_model(lambda _, __: UnorderedQueue()),
    "linearizable-set": _by_model(lambda _, __: GrowOnlySet()),
    "linearizable-counter": _by_model(lambda _, __: Counter()),
    "linearizable-bank": _by_model(_bank),
    "list-append": lambda history, how: list_append(history, consistency=how.consistency),
    "rw-register": lambda history, how: rw_register(history, consistency=how.consistency),
    "long-fork": lambda history, _: long_fork(history),
    "bank": lambda history, how: bank(history, total=how.total, negative=how.negative),
    "set": lambda history, _: final_set(history),
    "set-full": lambda history, _: set_full(history),
    "counter": lambda history, _: counter(history),
    "session": lambda history, _: session(history),
    "convergence": lambda history, _: convergence(history),
}
