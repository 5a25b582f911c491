"""Share the requests of a route among its targets, as evenly as weights allow. Pure.

Source: nginx's smooth weighted round robin.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Split(Generic[T]):
    """Give one target after the other, each as often as its weight says, never in bursts.

    Args:
        targets: Targets and their weights; one is above 0.
    """

    __slots__ = ("_current", "_targets", "_total")

    def __init__(self, targets: Sequence[tuple[T, int]]) -> None:
        self._targets = [each for each in targets if each[1] > 0]
        if not self._targets:
            raise ValueError("targets need a weight above 0")
        self._total = sum(weight for _, weight in self._targets)
        self._current = [0] * len(self._targets)

    def next(self) -> T:
        """Return the target of the next request."""
        if len(self._targets) == 1:
            return self._targets[0][0]
        best, current = 0, self._current
        for place, (_, weight) in enumerate(self._targets):
            current[place] += weight
            if current[place] > current[best]:
                best = place
        current[best] -= self._total
        return self._targets[best][0]
