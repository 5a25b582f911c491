"""Sets: whether what was added is there at the end, and at every moment since.

Source: Jepsen's `checker/set` and `checker/set-full`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from loadpath.caplab.checkers.elements import adds_and_reads, collection
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.checkers.words import shown
from loadpath.caplab.history.calls import Call
from loadpath.caplab.history.history import History

FEW = 10


def final_set(history: History) -> Verdict:
    """Judge the last read: all that was added is in it, and nothing that nobody added.

    Raises:
        ModelError: A call is neither add nor read, or a read answers no collection.
    """
    adds, reads = adds_and_reads("set", history)
    calls = len(adds) + len(reads)
    if not reads:
        return judged("set", calls, [], unknown="nobody read the set")
    last = max(reads, key=lambda call: call.end or 0)
    seen = set(collection("set", last))
    lost = [each for each in adds if each.outcome == "ok" and each.value not in seen]
    attempted = {each.value for each in adds if each.outcome != "fail"}
    found = _elements("lost", "added and not in the last read", lost)
    strange = sorted(seen - attempted, key=str)
    if strange:
        words = f"unexpected: in the last read, and nobody added them: {few(strange)}"
        found.append(Finding(name="unexpected", words=words, operations=(last.start,)))
    return judged("set", calls, found, figures={"added": len(adds), "seen": len(seen)})


@dataclass(slots=True)
class _Element:
    """Follow one element: the reads are told by the index of their beginning."""

    add: Call
    known: tuple[int, float | None] | None = None
    present: Call | None = None
    absent: Call | None = None

    @property
    def stable(self) -> bool:
        return self.present is not None and (
            self.absent is None or self.absent.start < self.present.start
        )

    @property
    def lost(self) -> bool:
        if self.known is None or self.absent is None:
            return False
        gone = self.present is None or self.present.start < self.absent.start
        return gone and self.known[0] < self.absent.start

    @property
    def stale(self) -> bool:
        """Whether a read that began after it was known did not see it, and a later one did."""
        if self.known is None or self.absent is None:
            return False
        return self.stable and self.known[0] < self.absent.start

    @property
    def latency(self) -> float:
        """Return for how long it was stale (s), 0 without times."""
        if not self.stale or self.known is None or self.absent is None:
            return 0.0
        since, until = self.known[1], self.absent.began
        return 0.0 if since is None or until is None else max(0.0, until - since)


def set_full(history: History, *, linearizable: bool = False) -> Verdict:
    """Judge every read: what was once known to be in the set stays there.

    Args:
        history: What the clients did.
        linearizable: Whether a read that misses an element for a while is wrong too.

    Raises:
        ModelError: A call is neither add nor read, or a read answers no collection.
    """
    adds, reads = adds_and_reads("set-full", history)
    elements = _followed(adds, reads)
    doubles = _doubles(reads)
    of = {
        "lost": [each.add for each in elements if each.lost],
        "stale": [each.add for each in elements if each.stale],
        "never-read": [each.add for each in elements if not each.stable and not each.lost],
    }
    found = [
        *_elements("lost", "known to be in the set, and later not", of["lost"]),
        *_elements("stale", "missed by a later read", of["stale"], forbidden=linearizable),
        *_elements("never-read", "never seen", of["never-read"], forbidden=False),
    ]
    if doubles:
        found.append(
            Finding(name="duplicated", words=f"duplicated: twice in a read: {few(doubles)}")
        )
    stable = sum(each.stable for each in elements)
    latency = max((each.latency for each in elements), default=0.0)
    figures = {"stable": stable, **{name: len(of[name]) for name in of}, "worst stale": latency}
    reason = None if stable else "no element was ever seen to stay"
    return judged("set-full", len(adds) + len(reads), found, figures=figures, unknown=reason)


def _followed(adds: list[Call], reads: list[Call]) -> list[_Element]:
    elements = {add.value: _Element(add) for add in adds if add.outcome != "fail"}
    for each in elements.values():
        if each.add.outcome == "ok" and each.add.end is not None:
            each.known = (each.add.end, each.add.ended)
    for read in sorted(reads, key=lambda call: call.end or 0):
        seen = set(collection("set-full", read))
        for value, each in elements.items():
            if each.add.start < (read.end or 0):
                _look(each, read, present=value in seen)
    return list(elements.values())


def _look(each: _Element, read: Call, *, present: bool) -> None:
    if present:
        if each.known is None or each.known[0] > (read.end or 0):
            each.known = (read.end or 0, read.ended)
        if each.present is None or each.present.start < read.start:
            each.present = read
    elif each.absent is None or each.absent.start < read.start:
        each.absent = read


def _doubles(reads: list[Call]) -> list[Any]:
    found: set[Any] = set()
    for read in reads:
        counts = Counter(collection("set-full", read))
        found.update(value for value, count in counts.items() if count > 1)
    return sorted(found, key=str)


def _elements(name: str, words: str, adds: list[Call], *, forbidden: bool = True) -> list[Finding]:
    if not adds:
        return []
    values = few([add.value for add in adds])
    return [
        Finding(
            name=name,
            words=f"{name}: {words}: {values}",
            operations=tuple(add.start for add in adds[:FEW]),
            forbidden=forbidden,
        )
    ]


def few(values: list[Any]) -> str:
    """Return the first of many values, and how many more there are."""
    more = f" and {len(values) - FEW:,} more" if len(values) > FEW else ""
    return " ".join(map(shown, values[:FEW])) + more
