"""What a model is: a first state, and what each call does to a state."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from loadpath.caplab.history.calls import Call
from loadpath.core.errors import LoadpathError


class No:
    """Say that a call cannot have been answered so in this state."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO"


NO: Final = No()
State = Any
"""Plain data that can be hashed."""
Action = Callable[[State], Any]
"""From a state to the next, or to NO."""


class ModelError(LoadpathError, ValueError):
    """Report a call that a model does not know."""


class Model(Protocol):
    """Say what an object does when calls come one at a time.

    Attributes:
        name: What the command line calls it.
        initial: The state before the first call.
        by_key: Whether every call is on a `[key value]`, each key an object of its own.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - told above
    @property
    def initial(self) -> State: ...  # noqa: D102 - told above
    @property
    def by_key(self) -> bool: ...  # noqa: D102 - told above

    def pure(self, call: Call) -> bool:
        """Return whether a call leaves every state as it is."""
        ...

    def action(self, call: Call) -> Action:
        """Return what a call does: the next state, or NO when the answer does not fit the state.

        A call without an answer fits every state in which it could have been made.

        Raises:
            ModelError: The model has no such call.
        """
        ...


def unknown(model: str, call: Call, knows: str) -> ModelError:
    """Return the error for a call that a model does not have."""
    return ModelError(
        f"operation {call.start}: {model} has no call {call.f} with {call.value!r}; it has {knows}"
    )


def same(state: State) -> State:
    """Leave a state as it is."""
    return state


def never(state: State) -> No:
    """Fit no state."""
    del state
    return NO


def reading(seen: State) -> Action:
    """Return the action of a read that saw the whole state."""
    return lambda state: state if state == seen else NO


def setting(value: State) -> Action:
    """Return the action of a write."""
    return lambda _: value
