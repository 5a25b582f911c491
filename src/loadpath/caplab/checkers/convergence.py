"""Convergence: once nobody writes any more, all show the same, and nothing acknowledged is lost.

Source: Shapiro et al., strong eventual consistency; Jepsen's final reads.
"""

from loadpath.caplab.checkers.elements import adds_and_reads, collection
from loadpath.caplab.checkers.sets import few
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.history.calls import Call
from loadpath.caplab.history.history import History, Process


def convergence(history: History) -> Verdict:
    """Judge the last read of each process after the last add: one process for each node.

    Raises:
        ModelError: A call is neither add nor read, or a read answers no collection.
    """
    adds, reads = adds_and_reads("convergence", history)
    last_add = max((call.end or call.start for call in adds if call.outcome != "fail"), default=-1)
    final: dict[Process, Call] = {}
    for read in sorted(reads, key=lambda call: call.start):
        if read.start > last_add:
            final[read.process] = read
    shows = {process: frozenset(collection("convergence", read)) for process, read in final.items()}
    found = [*_lost(adds, final, shows), *_diverged(final, shows)]
    alone = len(final) < 2  # noqa: PLR2004 - one cannot differ from itself
    reason = "fewer than two processes read after the last add" if alone else None
    figures = {"final reads": len(final)}
    return judged("convergence", len(adds) + len(reads), found, figures=figures, unknown=reason)


def _lost(
    adds: list[Call], final: dict[Process, Call], shows: dict[Process, frozenset[object]]
) -> list[Finding]:
    acknowledged = {add.value for add in adds if add.outcome == "ok"}
    found = []
    for process, seen in shows.items():
        missing = sorted(acknowledged - seen, key=str)
        if missing:
            words = (
                f"lost: acknowledged, and not in the last read of process {process}: {few(missing)}"
            )
            found.append(Finding(name="lost", words=words, operations=(final[process].start,)))
    return found


def _diverged(final: dict[Process, Call], shows: dict[Process, frozenset[object]]) -> list[Finding]:
    first = next(iter(shows), None)
    for process, seen in shows.items():
        if seen != shows[first]:
            differs = sorted(seen ^ shows[first], key=str)
            words = f"diverged: processes {first} and {process} differ in {few(differs)}"
            return [Finding(name="diverged", words=words, operations=(final[process].start,))]
    return []
