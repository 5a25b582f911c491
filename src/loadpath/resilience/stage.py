"""What every pattern is: something that runs a call, and that can be put around another.

A pattern never imports another one. They meet in a `Pipeline`, because each of them is a `Stage`.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import msgspec

P = ParamSpec("P")
T = TypeVar("T")


class Stage(ABC):
    """Run calls under one pattern, and tell about it; a `core.ports.Observable`.

    `@stage` puts it around an async function.
    """

    __slots__ = ()

    @abstractmethod
    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns, run under this pattern."""

    @abstractmethod
    def snapshot(self) -> msgspec.Struct:
        """Return the figures of this moment."""

    def __call__(
        self, function: Callable[P, Awaitable[T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return `function` with every call run under this pattern."""

        @wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(function, *args, **kwargs)

        return run
