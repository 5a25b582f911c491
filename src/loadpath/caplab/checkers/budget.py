"""How long a search may go on: at its end the verdict is unknown, never a guess."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf


class OverBudget(Exception):
    """End a search whose budget is used up."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """Bound a search by steps, by a clock that is handed in, or by both.

    Args:
        steps: How many states may be looked at.
        deadline: When it ends, in the clock's seconds.
        clock: Tells the time; without one only the steps count.
        tell: Is called now and then with the steps taken, for progress.

    Raises:
        ValueError: There is not a step to take, or a deadline without a clock.
    """

    steps: float = inf
    deadline: float = inf
    clock: Callable[[], float] | None = None
    tell: Callable[[int], None] | None = None
    taken: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not self.steps >= 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.deadline != inf and self.clock is None:
            raise ValueError("a deadline needs a clock: pass clock=time.monotonic")

    @property
    def over(self) -> bool:
        """Whether it is used up."""
        late = self.clock is not None and self.clock() >= self.deadline
        return late or self.taken >= self.steps

    def take(self, steps: int) -> None:
        """Count steps that were taken."""
        self.taken += steps
        if self.tell is not None:
            self.tell(self.taken)
