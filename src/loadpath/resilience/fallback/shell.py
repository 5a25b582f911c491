"""Answer with something else when a call fails: `await fallback.call(…)` or `@fallback`."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, cast

import msgspec

from loadpath.core.ports import Events
from loadpath.resilience.filters import ErrorFilter, error_test
from loadpath.resilience.stage import P, Stage, T


class FellBack(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a call failed and was answered by its fallback.

    Attributes:
        name: The fallback.
        cause: What the call raised, as text.
    """

    name: str
    cause: str


class FallbackSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        name: The fallback.
        used: Calls that were answered by it.
    """

    name: str
    used: int


class Fallback(Stage):
    """Answer a call that failed by `answer(error)`, which may be async.

    A cancellation is no failure: it is never answered.

    Args:
        answer: Makes the answer from the error.
        errors: Errors that are answered; all others are raised.
        name: What events and figures call it.
        events: Who hears `FellBack`.

    Attributes:
        catches_all: Whether every error is answered, so that none is seen outside.
    """

    __slots__ = ("_answer", "_errors", "_events", "_used", "catches_all", "name")

    def __init__(
        self,
        answer: Callable[[Exception], Any],
        *,
        errors: ErrorFilter = Exception,
        name: str = "fallback",
        events: Events | None = None,
    ) -> None:
        if not callable(answer):
            raise TypeError(f"answer must be a function of the error, not {answer!r}")
        self._answer = answer
        self._errors = error_test(errors, "errors")
        self._events = events
        self._used = 0
        meant = errors if isinstance(errors, tuple) else (errors,)
        self.catches_all = Exception in meant or BaseException in meant
        self.name = name

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns, or the answer in its place.

        Raises:
            Exception: The call raised an error that is not answered, or the answer itself did.
        """
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            if not self._errors(error):
                raise
            self._used += 1
            if self._events is not None:
                self._events.emit(FellBack(name=self.name, cause=repr(error)))
            answer = self._answer(error)
            return cast("T", await answer if isawaitable(answer) else answer)

    def snapshot(self) -> FallbackSnapshot:
        """Return the figures of this moment."""
        return FallbackSnapshot(name=self.name, used=self._used)
