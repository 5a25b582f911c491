"""The shortest counter-example: the fewest calls that contradict each other.

A call is let go by loosening it, not by forgetting it: it may now have taken effect at any time or
never. What is still impossible then does not depend on it. So the calls that remain are a proof,
and no read is left over whose write was taken away.
"""

from collections.abc import Sequence
from typing import Final

from loadpath.caplab.checkers.budget import Budget
from loadpath.caplab.checkers.plan import plan
from loadpath.caplab.checkers.search import Search
from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import Model

TRY: Final = 5_000
"""States that one attempt may look at."""
ALL: Final = 100_000
"""States that all attempts may look at."""


def shortest(calls: Sequence[Call], model: Model, budget: Budget | None = None) -> list[Call]:
    """Return calls of an impossible history that none can be loosened of.

    Larger parts are loosened first. A part that takes too long to judge stays, so that the result
    is always impossible, and as short as the effort allows.
    """
    kept, loose, left = list(calls), [call for call in calls if call.end is None], ALL
    kept = [call for call in kept if call.end is not None]
    size = max(1, len(kept) // 2)
    while left > 0 and not (budget is not None and _late(budget)):
        at, before = 0, len(kept)
        while at < len(kept) and left > 0:
            part, rest = kept[at : at + size], kept[:at] + kept[at + size :]
            search = Search(plan(rest, model, loose=[*loose, *part]))
            left -= search.run(min(TRY, left)) + len(rest)
            if search.found is False:
                kept, loose = rest, [*loose, *part]
            else:
                at += size
        if size == 1 and len(kept) == before:
            break
        size = max(1, size // 2)
    return kept


def _late(budget: Budget) -> bool:
    return budget.clock is not None and budget.clock() >= budget.deadline
