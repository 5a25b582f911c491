"""The first success wins; the others are cancelled, and have ended when the answer is there."""

import asyncio
from random import Random

import pytest

from loadpath.resilience import (
    BudgetPolicy,
    Deadline,
    Hedge,
    Hedged,
    LatencyPercentile,
    RetryBudget,
)
from tests.unit.resilience.heard import Heard, answer, fail

SOON = 1e-4


class Servers:
    """Calls that end as told, in the order in which they are made; None hangs."""

    def __init__(self, *ends: str | Exception | None) -> None:
        self._ends = list(ends)
        self.calls = self.running = 0

    async def __call__(self) -> str:
        """Make the next call."""
        end = self._ends[self.calls]
        self.calls += 1
        self.running += 1
        try:
            if end is None:
                await asyncio.Event().wait()
            if isinstance(end, Exception):
                raise end
            return str(end)
        finally:
            self.running -= 1


async def test_a_quick_answer_is_asked_for_once() -> None:
    """Nothing is sent again when the first call answers in time."""
    hedge = Hedge(60.0)
    assert await hedge.call(answer) == "fine"
    assert hedge.snapshot().hedged == 0


async def test_the_second_answers_when_the_first_hangs() -> None:
    """The first call has ended when the answer is there, and the listener has heard of it."""
    heard, servers = Heard(), Servers(None, "second")
    hedge = Hedge(SOON, name="h", events=heard)
    assert await hedge.call(servers) == "second"
    assert servers.running == 0
    assert heard.events == [Hedged(name="h", sent=2, after=SOON)]
    snapshot = hedge.snapshot()
    assert (snapshot.calls, snapshot.hedged, snapshot.won, snapshot.delay) == (1, 1, 1, SOON)


async def test_no_more_are_sent_than_allowed() -> None:
    """Two by default, three when told so."""
    servers = Servers(None, None, "third", "fourth")
    assert await Hedge(SOON, calls=3).call(servers) == "third"
    assert servers.calls == 3
    servers, two = Servers(None, None, "third"), Hedge(SOON)
    caller = asyncio.create_task(two.call(servers))
    while servers.calls < 2:  # noqa: ASYNC110 - the servers' own bookkeeping
        await asyncio.sleep(SOON)
    await asyncio.sleep(20 * SOON)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert (servers.calls, servers.running) == (2, 0)


async def test_an_error_in_time_is_raised_at_once() -> None:
    """Repeating it is the business of a retry."""
    with pytest.raises(OSError, match="down"):
        await Hedge(60.0).call(fail, OSError("down"))


async def test_a_failed_hedge_leaves_the_others_running() -> None:
    """The slow first call still answers."""
    free = asyncio.Event()
    calls = 0

    async def first_is_slow() -> str:
        nonlocal calls
        calls += 1
        if calls > 1:
            free.set()
            raise OSError("second")
        await free.wait()
        await asyncio.sleep(0.001)
        return "first"

    assert await Hedge(SOON).call(first_is_slow) == "first"


async def test_when_all_fail_the_error_is_the_firsts() -> None:
    """Whichever failed earlier."""
    free, calls = asyncio.Event(), 0

    async def both_fail() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            free.set()
            raise OSError("second")
        await free.wait()
        raise OSError("first")

    with pytest.raises(OSError, match="first"):
        await Hedge(SOON).call(both_fail)


async def test_a_budget_bounds_what_is_sent_again() -> None:
    """A dependency that is late for all is not asked twice by all."""
    hedge = Hedge(SOON, budget=RetryBudget(BudgetPolicy(share=0.1, minimum_rate=0.0)))

    async def late() -> str:
        await asyncio.sleep(0.002)
        return "late"

    for _ in range(40):
        assert await hedge.call(late) == "late"
    assert 1 <= hedge.snapshot().hedged <= 4


async def test_a_percentile_sends_the_slow_ones_again() -> None:
    """What is usual is learned from the first calls, also from those that were overtaken."""
    hedge = Hedge(LatencyPercentile(minimum_calls=20, initial=0.05, seconds=1e-3))
    for _ in range(40):
        await hedge.call(answer)
    assert await hedge.call(Servers(None, "second")) == "second"
    assert hedge.snapshot().won == 1


async def test_cancelled_at_any_moment_no_task_is_left() -> None:
    """Thousands of callers go away at random moments: every task of theirs has ended."""
    chance, running = Random(4), 0

    async def stubborn() -> str:
        nonlocal running
        running += 1
        try:
            for _ in range(chance.randrange(1, 6)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                raise OSError("down")
            return "fine"
        finally:
            try:
                await asyncio.sleep(0)  # ends in its own time
            finally:
                running -= 1

    before = asyncio.all_tasks()
    hedge = Hedge(1e-9, calls=3)
    for _ in range(1_500):
        caller = asyncio.create_task(hedge.call(stubborn))
        for _ in range(chance.randrange(8)):
            await asyncio.sleep(0)
        for _ in range(chance.randrange(3)):
            caller.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([caller])
        assert running == 0
        if not caller.cancelled():
            caller.exception()
    assert asyncio.all_tasks() <= before


async def test_every_call_knows_the_deadline() -> None:
    """It reaches the tasks."""

    async def until() -> float:
        return Deadline.current().at

    with Deadline(9.0).applied():
        assert await Hedge(60.0).call(until) == 9.0


def test_one_call_is_no_hedge() -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="calls must be at least 2"):
        Hedge(1.0, calls=1)


class Answer:
    """Something that must be closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        """Close it, which takes a moment."""
        await asyncio.sleep(0)
        self.closed += 1


class Late:
    """Two calls that end in the same turn of the loop, or refuse to be cancelled."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self._begun = 0
        self._both = asyncio.Event()
        self.given: list[Answer] = []

    async def __call__(self) -> Answer:
        """Answer when both are under way."""
        answer = self._answers[self._begun]
        self._begun += 1
        if self._begun == len(self._answers):
            self._both.set()
        await self._both.wait()
        self.given.append(answer)
        return answer


async def test_a_late_result_is_closed() -> None:
    """Both calls end at once: one is returned, the other is closed before that."""
    answers = [Answer(), Answer()]
    first = await Hedge(SOON).call(Late(answers))
    assert [first.closed, sum(each.closed for each in answers)] == [0, 1]


async def test_a_late_result_goes_where_the_caller_says() -> None:
    """`discard` is told of it, once, and may be an ordinary function."""
    answers, discarded = [Answer(), Answer()], list[Answer]()
    first = await Hedge(SOON, discard=discarded.append).call(Late(answers))
    assert discarded == [each for each in answers if each is not first]


async def test_the_same_result_twice_is_not_closed() -> None:
    """Two calls that return the same object have no late one."""
    shared = Answer()
    assert await Hedge(SOON).call(Late([shared, shared])) is shared
    assert not shared.closed


@pytest.mark.parametrize("turns", range(16))
async def test_a_cancelled_hedge_closes_every_result(turns: int) -> None:
    """Whoever is cancelled gets none, so none stays open: not even the winner's."""
    late = Late([Answer(), Answer()])
    task = asyncio.create_task(Hedge(SOON).call(late))
    while not late.given and turns > 3:  # noqa: ASYNC110 - turn by turn
        await asyncio.sleep(0)
    for _ in range(turns // 2):
        await asyncio.sleep(0)
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert all(each.closed == (each is not ended) for each in late.given)


async def test_a_result_that_cannot_be_closed_is_told_to_the_loop() -> None:
    """The winner is returned all the same."""
    told: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))

    def broken(_: object) -> None:
        raise ValueError("no")

    try:
        await Hedge(SOON, discard=broken, name="orders").call(Late([Answer(), Answer()]))
    finally:
        loop.set_exception_handler(None)
    assert [each["message"] for each in told] == ["orders: a late result could not be discarded"]
