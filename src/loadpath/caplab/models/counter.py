"""A counter: add, and read the sum."""

from dataclasses import dataclass

from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import Action, reading, same, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Add a number, negative or not, and read the sum."""

    name: str = "linearizable-counter"
    initial: int = 0
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it is a read."""
        return call.f == "read"

    def action(self, call: Call) -> Action:
        """Return what an add or a read does."""
        if call.f == "read":
            return reading(call.result) if call.outcome == "ok" else same
        if call.f not in {"add", "inc", "increment", "dec", "decrement"}:
            raise unknown(self.name, call, "add and read")
        by = amount_of(call)
        return lambda total: total + by


def amount_of(call: Call) -> int | float:
    """Return by how much an add changes the counter.

    Raises:
        ModelError: That is not a number.
    """
    by = 1 if call.value is None else call.value
    if isinstance(by, bool) or not isinstance(by, int | float):
        raise unknown("counter", call, "adds of a number")
    return -by if call.f.startswith("dec") else by
