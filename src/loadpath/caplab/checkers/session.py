"""Session guarantees: what a client that goes from node to node may rely on.

Elements are added once and never taken away; a read shows those it knows.

Source: Terry et al., "Session guarantees for weakly consistent replicated data".
"""

from collections import defaultdict
from typing import Any, Final

from loadpath.caplab.checkers.elements import adds_and_reads, collection
from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.checkers.words import shown
from loadpath.caplab.history.calls import Call
from loadpath.caplab.history.history import History, Process

GUARANTEES: Final = (
    "read-your-writes",
    "monotonic-reads",
    "monotonic-writes",
    "writes-follow-reads",
)


class _Sessions:
    """Follow what each client has seen and written; elements are bits."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.bits: dict[Any, int] = {}
        self.found: dict[str, Finding] = {}
        self.counts = dict.fromkeys(GUARANTEES, 0)
        self._seen: defaultdict[Process, int] = defaultdict(int)
        self._wrote: defaultdict[Process, int] = defaultdict(int)
        self._after_writes: dict[int, int] = {}
        self._after_reads: dict[int, int] = {}

    def bit(self, value: Any) -> int:
        """Return the bit of an element."""
        if value not in self.bits:
            self.bits[value] = 1 << len(self.values)
            self.values.append(value)
        return self.bits[value]

    def depend(self, add: Call) -> None:
        """Remember what the client had written and seen when it began to add."""
        bit = self.bit(add.value)
        self._after_writes[bit] = self._wrote[add.process]
        self._after_reads[bit] = self._seen[add.process]

    def acknowledged(self, add: Call) -> None:
        """Remember that the client knows its element to be there."""
        self._wrote[add.process] |= self.bit(add.value)

    def read(self, read: Call) -> None:
        """Compare a read with what its client, and the authors of what it shows, knew."""
        bits = [self.bit(value) for value in set(collection("session", read))]
        shows = sum(bits)
        self._miss("read-your-writes", read, self._wrote[read.process] & ~shows)
        self._miss("monotonic-reads", read, self._seen[read.process] & ~shows)
        for name, before in (
            ("monotonic-writes", self._after_writes),
            ("writes-follow-reads", self._after_reads),
        ):
            needed = 0
            for bit in bits:
                needed |= before.get(bit, 0)
            self._miss(name, read, needed & ~shows)
        self._seen[read.process] |= shows

    def _miss(self, name: str, read: Call, missing: int) -> None:
        if not missing:
            return
        self.counts[name] += 1
        value = self.values[(missing & -missing).bit_length() - 1]
        who = f"the read of operation {read.start} by process {read.process}"
        words = f"{name}: {who} does not show {shown(value)}"
        self.found.setdefault(name, Finding(name=name, words=words, operations=(read.start,)))


def session(history: History) -> Verdict:
    """Judge adds and reads by the four session guarantees.

    Raises:
        ModelError: A call is neither add nor read, or a read answers no collection.
    """
    adds, reads = adds_and_reads("session", history)
    sessions = _Sessions()
    moments: list[tuple[int, int, Call]] = []
    for add in adds:
        moments.append((add.start, 0, add))
        if add.outcome == "ok" and add.end is not None:
            moments.append((add.end, 1, add))
    moments += [(read.end or 0, 2, read) for read in reads]
    for _, what, call in sorted(moments, key=lambda each: each[:2]):
        (sessions.depend, sessions.acknowledged, sessions.read)[what](call)
    unread = None if reads else "nobody read"
    return judged(
        "session",
        len(adds) + len(reads),
        sessions.found.values(),
        figures={f"violations of {name}": count for name, count in sessions.counts.items()},
        unknown=unread,
    )
