"""Operations joined to calls: what was asked, what was answered, and between which two moments.

Both meanings of `fail` are known. Jepsen's: it did not happen (`absent`), so the call is left out.
The other one, in the etcd logs that Porcupine ships: the answer was no (`refused`), so a compare
that failed has seen another value. `info`, and a call that never ended, may have happened at any
time since it began, or never.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple, TypeGuard

from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import NEMESIS, History, Op, Process

Fails = Literal["absent", "refused"]
Outcome = Literal["ok", "fail", "info"]
READS: Final = frozenset({"read", "r", "get", "acquire", "release"})
"""What is asked without a value."""
_TIMEOUTS: Final = ("timed-out", "timeout", "timed_out", "indeterminate")


class Call(NamedTuple):
    """Hold one call of a client.

    Attributes:
        process: The client.
        f: What was asked for.
        value: What it was asked with.
        result: What was answered, None without an answer.
        outcome: `ok`, `fail` (only where a refusal says something) or `info`.
        start: Index of the invocation.
        end: Index of the completion; None for a call that may still happen.
        began: Seconds, None when unknown.
        ended: Seconds, None when unknown.
        line: Line of the invocation in its file.
    """

    process: Process
    f: str
    value: Any
    result: Any
    outcome: Outcome
    start: int
    end: int | None
    began: float | None = None
    ended: float | None = None
    line: int | None = None


def calls_of(history: History, *, fails: Fails | None = None, failed: bool = False) -> list[Call]:
    """Return the calls of the clients, in the order in which they began.

    Args:
        history: Operations of clients; those of a nemesis are left out.
        fails: What `fail` means; None takes what the source of the history means by it.
        failed: Whether calls that did not happen are listed too, for checkers that look for
            traces of them.

    Raises:
        HistoryError: A process begins a call while its last one is open.
    """
    refused = history.refusals if fails is None else fails == "refused"
    calls = [_call(invoke, done, refused) for invoke, done in _pairs(history)]
    kept = calls if failed or refused else [call for call in calls if call.outcome != "fail"]
    return sorted(kept, key=lambda call: call.start)


def _pairs(history: History) -> list[tuple[Op, Op | None]]:
    open_: dict[Process, Op] = {}
    pairs: list[tuple[Op, Op | None]] = []
    for op in history:
        if op.process == NEMESIS:
            continue
        if op.type != "invoke":
            _complete(op, open_.pop(op.process, None), pairs)
            continue
        if op.process in open_:
            _refuse_second(history, op, open_[op.process])
        open_[op.process] = op
    return pairs + [(op, None) for op in open_.values()]


def _complete(op: Op, invoke: Op | None, pairs: list[tuple[Op, Op | None]]) -> None:
    """Join a completion to its invocation; one without any began when it ended, or says nothing."""
    if invoke is not None or op.type == "ok":
        pairs.append((invoke or op, op))


def _refuse_second(history: History, op: Op, earlier: Op) -> None:
    said = (
        f"process {op.process} invokes {op.f} while its {earlier.f} of operation {earlier.index} "
        "is open; give each client of its own a process"
    )
    raise HistoryError(said, file=history.name, line=op.line)


def _call(invoke: Op, done: Op | None, refused: bool) -> Call:  # noqa: FBT001 - one of ours
    outcome = _outcome(done, refused)
    ended = done if done is not None and outcome != "info" else None
    return Call(
        invoke.process,
        invoke.f,
        _asked(invoke, done),
        ended.value if ended is not None else None,
        outcome,
        invoke.index,
        ended.index if ended is not None else None,
        invoke.time,
        ended.time if ended is not None else None,
        invoke.line,
    )


def _asked(invoke: Op, done: Op | None) -> Any:
    """Return the arguments; some histories tell them only at the end."""
    if invoke.value is None and done is not None and invoke.f not in READS:
        return done.value
    return invoke.value


def _outcome(done: Op | None, refused: bool) -> Outcome:  # noqa: FBT001 - one of ours
    if done is None or done.type == "info":
        return "info"
    if done.type == "ok":
        return "ok"
    if refused and _timed_out(done.error):  # the log says fail, and nobody knows
        return "info"
    return "fail"


def _timed_out(error: Any) -> bool:
    first = error[0] if isinstance(error, tuple) and error else error
    return isinstance(first, str) and first in _TIMEOUTS


class Keyed(NamedTuple):
    """Hold calls on one key, their values without it."""

    key: Any
    calls: list[Call]


def keyed(calls: Iterable[Call]) -> list[Keyed]:
    """Return calls on `[key value]` by key; what happens to one key says nothing of another.

    Source: Herlihy and Wing: linearizability is local.
    """
    by_key: defaultdict[Any, list[Call]] = defaultdict(list)
    for call in calls:
        key, value = call.value
        result = call.result[1] if is_pair(call.result) else call.result
        by_key[key].append(call._replace(value=value, result=result))
    return [Keyed(key, each) for key, each in by_key.items()]


def is_keyed(calls: Iterable[Call]) -> bool:
    """Return whether every call is on a `[key value]`, reads on `[key nil]`.

    Source: `jepsen.independent`.
    """
    reads = 0
    for call in calls:
        if not is_pair(call.value):
            return False
        if call.f in READS:
            reads += 1
            if call.value[1] is not None:
                return False
    return reads > 0


def is_pair(value: Any) -> TypeGuard[tuple[Any, Any]]:
    """Return whether a value is a vector of two."""
    return isinstance(value, tuple) and len(value) == 2  # noqa: PLR2004 - a pair
