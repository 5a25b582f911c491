"""A failed call gets another answer."""

import asyncio

import pytest

from loadpath.resilience import Fallback, FellBack
from tests.unit.resilience.heard import Heard, answer, fail


async def test_an_error_is_answered_from_it() -> None:
    """By a function, sync or async, and the listener hears why."""
    heard = Heard()
    fallback = Fallback(lambda error: f"not {error}", name="f", events=heard)
    assert await fallback.call(answer) == "fine"
    assert await fallback.call(fail, OSError("down")) == "not down"
    assert heard.events == [FellBack(name="f", cause="OSError('down')")]
    assert fallback.snapshot().used == 1

    async def other(error: Exception) -> str:
        return f"{error}, asked elsewhere"

    assert await Fallback(other).call(fail, OSError("down")) == "down, asked elsewhere"


async def test_other_errors_and_cancellations_are_raised() -> None:
    """Only what is asked for is answered, and never a cancellation."""
    fallback = Fallback(lambda _: "other", errors=ConnectionError)
    with pytest.raises(ValueError, match="wrong"):
        await fallback.call(fail, ValueError("wrong"))
    with pytest.raises(asyncio.CancelledError):
        await Fallback(lambda _: "other", errors=BaseException).call(fail, asyncio.CancelledError())


async def test_an_answer_that_fails_is_raised() -> None:
    """With the first error as its context."""

    def broken(error: Exception) -> None:
        raise KeyError from error

    with pytest.raises(KeyError) as caught:
        await Fallback(broken).call(fail, OSError("down"))
    assert isinstance(caught.value.__cause__, OSError)


def test_an_answer_is_a_function() -> None:
    """The error says what it must be."""
    with pytest.raises(TypeError, match="answer must be a function of the error"):
        Fallback("later")  # type: ignore[arg-type] # on purpose
