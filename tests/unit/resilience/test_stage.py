"""Any pattern can be put around a function."""

import inspect
from collections.abc import Awaitable, Callable

import msgspec

from loadpath.resilience import Stage
from loadpath.resilience.stage import P, T
from tests.unit.resilience.heard import answer


class Twice(Stage):
    """Call twice; the second answer counts."""

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call twice."""
        await function(*args, **kwargs)
        return await function(*args, **kwargs)

    def snapshot(self) -> msgspec.Struct:
        """Tell nothing."""
        return msgspec.Struct()


async def test_a_decorated_function_runs_under_its_pattern() -> None:
    """It takes the same arguments, keeps its name and stays async."""
    seen: list[str] = []

    @Twice()
    async def remember(text: str, *, times: int = 1) -> int:
        """Remember."""
        seen.append(text * times)
        return len(seen)

    assert await remember("a", times=2) == 2
    assert seen == ["aa", "aa"]
    assert (remember.__name__, remember.__doc__) == ("remember", "Remember.")
    assert inspect.iscoroutinefunction(remember)


async def test_arguments_named_like_ours_reach_the_function() -> None:
    """The function may have arguments called `function` or `self`."""

    async def odd(*, function: str, self: str) -> str:
        return function + self

    assert await Twice().call(odd, function="a", self="b") == "ab"
    assert await Twice()(answer)("fine") == "fine"
