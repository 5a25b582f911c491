"""A mutex: held or free, whoever holds it.

Source: Knossos `model/mutex`.
"""

from dataclasses import dataclass

from loadpath.caplab.history.calls import Call
from loadpath.caplab.models.model import NO, Action, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutex:
    """Acquire and release; a refused acquire has seen it held, a refused release free."""

    name: str = "mutex"
    initial: bool = False
    by_key: bool = False

    def pure(self, call: Call) -> bool:
        """Return whether it was refused."""
        return call.outcome == "fail"

    def action(self, call: Call) -> Action:
        """Return what an acquire or a release does."""
        if call.f not in {"acquire", "release"}:
            raise unknown(self.name, call, "acquire and release")
        before = call.f == "release"
        if call.outcome == "fail":
            return lambda held: held if held is not before else NO
        return lambda held: not before if held is before else NO
