"""Just-in-time linearization, depth first.

The calls are walked through in the order of their answers. At an answer its call must have taken
effect: if it has not, it does now, after any of the other open calls. Three things keep that small.
A read that fits takes effect at once: it changes nothing, so nothing is lost. Calls without an
answer that ask for the same are interchangeable. And what was reached before with no more of them
used up need not be looked at again.

Source: Lowe, "Testing for linearizability" (just-in-time linearization); Wing and Gong; Porcupine.
"""

from typing import Any

from loadpath.caplab.checkers.plan import Plan
from loadpath.caplab.models.model import NO

Reached = tuple[int, int, int, Any]
"""A place, the bits that took effect, the maybes that did, and the state."""


class Search:
    """Look for an order of the calls that explains every answer; can be stopped and go on.

    Args:
        plan: The calls.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stack: list[Reached] = [(0, 0, 0, plan.initial)]
        self._seen: list[dict[Any, list[int]]] = [{} for _ in plan.places]
        self.furthest = 0
        self.found: bool | None = None
        """Whether there is such an order, None while nobody knows."""

    def run(self, steps: int) -> int:
        """Look at up to `steps` states and return at how many."""
        taken = 0
        while taken < steps and self._stack and self.found is None:
            taken += 1
            reached = self._settled(self._stack.pop())
            if reached is None:
                self.found = True
            elif self._is_new(reached):
                self._spread(reached)
        if not self._stack and self.found is None:
            self.found = False
        return taken

    def _settled(self, reached: Reached) -> Reached | None:
        """Go on to the next answer whose call has not taken effect; None behind the last."""
        at, done, used, state = reached
        places = self._plan.places
        while at < len(places):
            place = places[at]
            for bit, action in place.reads:
                if not done & bit and action(state) is not NO:
                    done |= bit
            if not done & place.bit:
                self.furthest = max(self.furthest, at)
                return at, done, used, state
            done ^= place.bit
            at += 1
        return None

    def _is_new(self, reached: Reached) -> bool:
        at, done, used, state = reached
        before = self._seen[at].setdefault((done, state), [])
        guard = self._plan.guard
        free = used | guard
        if any((free - less) & guard == guard for less in before):
            return False
        before.append(used)
        return True

    def _spread(self, reached: Reached) -> None:
        """Put on the stack what can come next, the likeliest last."""
        at, done, used, state = reached
        place, push = self._plan.places[at], self._stack.append
        for shift, begun, action in place.maybes:
            if (used >> shift) & 0xFFFF < begun:
                after = action(state)
                if after is not NO and after != state:
                    push((at, done, used + (1 << shift), after))
        for bit, action in place.others:
            if not done & bit:
                after = action(state)
                if after is not NO:
                    push((at, done | bit, used, after))
        after = place.action(state)
        if after is not NO:
            push((at + 1, done, used, after))
