"""What every pattern is: something that runs a call, and that can be put around another.

A pattern never imports another one. They meet in a `Pipeline`, because each of them is a `Stage`.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stage(ABC):
    """Run calls under one pattern; `@stage` puts it around an async function."""

    __slots__ = ()

    @abstractmethod
    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns, run under this pattern."""

    def __call__(
        self, function: Callable[P, Awaitable[T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return `function` with every call run under this pattern."""

        @wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(function, *args, **kwargs)

        return run
