"""A counter: a read lies between what must have been added and what may have been.

Source: Jepsen's `checker/counter`, for adds of either sign.
"""

from bisect import bisect_left
from itertools import accumulate

from loadpath.caplab.checkers.verdict import Finding, Verdict, judged
from loadpath.caplab.history.calls import Call, calls_of
from loadpath.caplab.history.history import History
from loadpath.caplab.models.counter import Counter, amount_of
from loadpath.caplab.models.model import unknown


class _Sums:
    """Add up amounts by when they came."""

    def __init__(self, amounts: list[tuple[int, float]]) -> None:
        amounts.sort()
        self._moments = [moment for moment, _ in amounts]
        self._sums = [0.0, *accumulate(amount for _, amount in amounts)]

    def before(self, moment: int) -> float:
        """Return the sum of what came before a moment."""
        return self._sums[bisect_left(self._moments, moment)]


def counter(history: History) -> Verdict:
    """Judge the reads of a counter that starts at 0.

    Raises:
        ModelError: A call is neither add nor read, or adds or reads no number.
    """
    calls = calls_of(history, fails="absent")
    for call in calls:
        Counter(name="counter").action(call)  # refuses what a counter does not have
    adds = [call for call in calls if call.f != "read"]
    done = [call for call in adds if call.end is not None]
    begun_up = _Sums([(call.start, max(0, amount_of(call))) for call in adds])
    begun_down = _Sums([(call.start, min(0, amount_of(call))) for call in adds])
    ended_up = _Sums([(call.end or 0, max(0, amount_of(call))) for call in done])
    ended_down = _Sums([(call.end or 0, min(0, amount_of(call))) for call in done])
    reads = [call for call in calls if call.f == "read" and call.outcome == "ok"]
    found = []
    for read in reads:
        start, end = read.start, read.end or 0
        low = ended_up.before(start) + begun_down.before(end)
        high = begun_up.before(end) + ended_down.before(start)
        if not low <= _number(read) <= high:
            saw = f"the read of operation {read.start} saw {read.result}, not {low:g} to {high:g}"
            words = f"out-of-bounds: {saw}"
            found.append(Finding(name="out-of-bounds", words=words, operations=(read.start,)))
    if not reads:  # Jepsen calls that valid: there is no answer that could be wrong
        found.append(Finding(name="unread", words="unread: nobody read it", forbidden=False))
    return judged("counter", len(calls), found, figures={"reads": len(reads)})


def _number(read: Call) -> float:
    if isinstance(read.result, bool) or not isinstance(read.result, int | float):
        raise unknown("counter", read, "reads of a number")
    return read.result
