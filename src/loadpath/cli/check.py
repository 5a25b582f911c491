"""`loadpath check`: judge anyone's history, whoever wrote it."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.status import Status

from loadpath.caplab.checkers import Budget, Verdict
from loadpath.caplab.checkers.catalog import INITIAL, JUDGES, Judging
from loadpath.caplab.history.edn import value_of
from loadpath.caplab.history.errors import HistoryError
from loadpath.caplab.history.history import History
from loadpath.caplab.history.reading import read_bytes
from loadpath.caplab.history.writing import jsonable
from loadpath.caplab.models.model import ModelError
from loadpath.cli.entry import StoppedError, UsageError, asked
from loadpath.cli.interruptible import SIGNALS
from loadpath.cli.output import console_for, print_json

VALID: Final = 0
INVALID: Final = 1
UNKNOWN: Final = 2
STDIN: Final = "-"


def check(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    model: str,
    consistency: str = "strict-serializable",
    fail: Literal["absent", "refused"] | None = None,
    initial: str | None = None,
    total: int | None = None,
    negative: Annotated[bool, Parameter(name="--allow-negative")] = False,
    seconds: float = 60.0,
    steps: int = 3_000_000,
    json: bool = False,
) -> int:
    """Judge histories of operations: valid, invalid or unknown.

    Reads EDN as Jepsen writes it, JSON, JSON lines, and console logs of Jepsen. Exits with 0 when
    all are valid, 1 when one is invalid, 2 when nobody knows within the budget, 64 when asked
    wrongly, and 65 when a file is no history.

    Args:
        files: Histories; - reads standard input.
        model: What it should have behaved like: register, cas-register, multi-register, kv, mutex,
            queue, unordered-queue, linearizable-set, linearizable-counter, linearizable-bank;
            list-append, rw-register, long-fork; bank, set, set-full, counter, session, convergence.
        consistency: The level that transactions (list-append, rw-register) should have, such as
            read-committed, snapshot-isolation, serializable, strict-serializable.
        fail: What :fail means: it did not happen (absent, Jepsen's), or the answer was no
            (refused, as in Jepsen's console logs of etcd). By default as the format has it.
        initial: The first value of a register, or {account balance} of linearizable-bank, as EDN.
        total: What a bank's accounts hold together; by default what the first read shows.
        negative: Let a bank's accounts be overdrawn.
        seconds: Seconds that the search for an order may take for each file.
        steps: States that it may look at for each file.
        json: Print the verdicts for programs.
    """
    if model not in JUDGES:
        raise UsageError(f"--model must be one of {', '.join(JUDGES)}, got {model!r}")
    options_among = [file for file in files if file.startswith("-") and file != STDIN]
    if options_among:
        raise UsageError(f"Unknown option: {options_among[0]}. See `loadpath check --help`.")
    if not files:
        raise UsageError(
            f"no history is named: loadpath check FILE --model {model}, or - for stdin"
        )
    if initial is not None and model not in INITIAL:
        raise UsageError(f"--initial is for {', '.join(sorted(INITIAL))}, not for {model}")
    options: dict[str, Any] = {
        "fails": fail,
        "initial": _initial(initial),
        "consistency": consistency,
        "total": total,
        "negative": negative,
    }
    progress = Console(stderr=True)
    with asked():
        Judging(budget=_budget(seconds, steps, None), **options)
    verdicts: list[tuple[str, Verdict]] = []
    with _ended_by_signals(), progress.status("reading") as status:
        for file in files:
            history = _history(file)
            tell = _telling(status, history)
            how = Judging(budget=_budget(seconds, steps, tell), **options)
            verdicts.append((file, _judged(history, model, how)))
    _print(verdicts, json=json)
    return _code([verdict for _, verdict in verdicts])


def _initial(text: str | None) -> Any:
    with asked():
        return None if text is None else value_of(text, name="--initial")


def _budget(seconds: float, steps: int, tell: Callable[[int], None] | None) -> Budget:
    if not seconds > 0:
        raise ValueError(f"--seconds must be above 0, got {seconds}")
    deadline = time.monotonic() + seconds
    return Budget(steps=steps, deadline=deadline, clock=time.monotonic, tell=tell)


def _history(file: str) -> History:
    data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    return read_bytes(data, name=file)


def _judged(history: History, model: str, how: Judging) -> Verdict:
    try:
        return JUDGES[model](history, how)
    except ModelError as error:
        raise HistoryError(str(error), file=history.name) from error
    except (TypeError, RecursionError) as error:  # such as a map where an element is expected
        said = f"a value of it does not fit {model}: {error}"
        raise HistoryError(said, file=history.name) from error


def _telling(status: Status, history: History) -> Callable[[int], None]:
    """Say on a terminal how far it is."""
    status.update(f"{history.name}: {len(history):,} operations")

    def tell(taken: int) -> None:
        status.update(f"{history.name}: {len(history):,} operations, {taken:,} states")

    return tell


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End at once at Ctrl-C, SIGTERM and SIGHUP: nothing is half printed."""

    def stop(number: int, frame: object) -> None:
        del frame
        raise StoppedError(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _code(verdicts: list[Verdict]) -> int:
    valid = [verdict.valid for verdict in verdicts]
    if False in valid:
        return INVALID
    return UNKNOWN if None in valid else VALID


def _print(verdicts: list[tuple[str, Verdict]], *, json: bool) -> None:
    if json:
        documents = [{"file": file, **_as_json(verdict)} for file, verdict in verdicts]
        print_json(documents[0] if len(documents) == 1 else documents)
        return
    console = console_for(json=False)
    for file, verdict in verdicts:
        _tell(console, file, verdict)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "valid": verdict.valid,
        "checker": verdict.checker,
        "calls": verdict.calls,
        "reason": verdict.reason,
        "findings": [
            {
                "name": each.name,
                "forbidden": each.forbidden,
                "words": each.words,
                "operations": list(each.operations),
            }
            for each in verdict.findings
        ],
        "figures": jsonable(verdict.figures),
    }


def _tell(console: Console, file: str, verdict: Verdict) -> None:
    figures = "".join(f", {_figure(value)} {name}" for name, value in verdict.figures.items())
    lines = [f"{file}: {verdict.word} as {verdict.checker} ({verdict.calls:,} calls{figures})"]
    if verdict.reason is not None:
        lines.append(verdict.reason)
    lines += [
        each.words if each.forbidden else f"allowed: {each.words}" for each in verdict.findings
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figure(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
