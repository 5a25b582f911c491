"""A deadline reaches everything that runs under it, and never grows."""

import asyncio
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadpath.resilience import HEADER, Deadline

moments = st.floats(-1e6, 1e6)


def test_there_is_none_unless_somebody_sets_one() -> None:
    """Without one, time is infinite and no header is sent."""
    deadline = Deadline.current()
    assert deadline == Deadline()
    assert deadline.remaining(5.0) == inf
    assert deadline.to_header(5.0) is None


@given(outer=moments, inner=moments)
def test_nested_takes_the_earlier(outer: float, inner: float) -> None:
    """Whatever is asked for inside, the earlier one holds, and leaving brings the outer back."""
    with Deadline(outer).applied():
        with Deadline(inner).applied() as applied:
            assert Deadline.current() == applied == Deadline(min(outer, inner))
        assert Deadline.current() == Deadline(outer)
    assert Deadline.current() == Deadline()


async def test_tasks_inherit_it_and_keep_theirs() -> None:
    """What a task is started under stays; what it sets itself is not seen outside."""

    async def inside() -> float:
        before = Deadline.current().at
        with Deadline(1.0).applied():
            await asyncio.sleep(0)
        return before

    with Deadline(5.0).applied():
        task = asyncio.create_task(inside())
    assert Deadline.current() == Deadline()
    await asyncio.sleep(0)
    assert Deadline.current() == Deadline()
    assert await task == 5.0


@given(seconds=st.floats(0, 1e6), passed=st.floats(0, 1e6))
def test_a_header_never_gives_more_time(seconds: float, passed: float) -> None:
    """On the way to another machine, with another clock, at most a millisecond is lost."""
    value = Deadline.after(seconds, now=0.0).to_header(passed)
    assert value is not None
    there = Deadline.from_header(value, now=1e3).remaining(1e3)
    left = max(0.0, seconds - passed)
    assert left - 0.002 <= there <= left + 1e-9


@pytest.mark.parametrize(
    "value", ["", "-1", "1s", "nan", "inf", "1e3", "1,5", ".5", " 1", "1\n", "٣", "9" * 50]
)
def test_a_header_that_is_no_time_is_refused(value: str) -> None:
    """What came from outside is checked; the error names the field."""
    with pytest.raises(ValueError, match=f"{HEADER} must be decimal seconds"):
        Deadline.from_header(value, now=0.0)


def test_a_deadline_without_meaning_is_refused() -> None:
    """Not a number is no moment."""
    with pytest.raises(ValueError, match="at must be"):
        Deadline(float("nan"))
    with pytest.raises(ValueError, match="seconds must be at least 0"):
        Deadline.after(-1.0, now=0.0)
