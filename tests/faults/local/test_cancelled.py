"""A start or a stop cancelled at any await leaves no process and no folder."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loadpath.local import nginx, postgres, postgres_cluster, valkey
from tests.faults.local.conftest import living, names

Starter = Callable[[], AbstractAsyncContextManager[object]]


class CancelledAt:
    """Run a coroutine and cancel its task when it suspends for the n-th time."""

    def __init__(self, work: Coroutine[Any, Any, object], suspension: int) -> None:
        self._work = work
        self._left = suspension
        self.reached = False

    def __await__(self) -> Generator[Any, Any, object]:
        """Pass everything through, and count."""
        task = asyncio.current_task()
        assert task is not None
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waits_for = next(steps) if error is None else steps.throw(error)
            except StopIteration as done:
                return done.value
            self._left -= 1
            if self._left == 0:
                self.reached = True
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                error = None
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - handed on as it is
                error = raised


async def use(starter: Starter) -> None:
    """Start, run for a moment, stop."""
    async with starter():
        await asyncio.sleep(0)


async def cancelled_at(starter: Starter, suspension: int) -> bool:
    """Return whether the use was long enough to be cancelled there."""
    work = CancelledAt(use(starter), suspension)

    async def run() -> None:
        await work

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None, task.exception()
    return work.reached


@pytest.mark.parametrize(
    "starter",
    [partial(valkey, relaxed=True), partial(nginx, server="location / { return 204; }")],
    ids=["valkey", "nginx"],
)
async def test_cancelled_at_every_await(starter: Starter, base: Path) -> None:
    """Whichever await of start, use and stop is cancelled, nothing is left."""
    suspension = 1
    while await cancelled_at(starter, suspension):
        assert names(base) == [], suspension
        assert living(base) == [], suspension
        suspension += 1
    assert suspension > 10


@pytest.mark.parametrize(
    ("starter", "last", "tries"),
    [
        (partial(postgres, relaxed=True), 40, 6),
        (partial(postgres_cluster, replicas=1, relaxed=True), 100, 3),
    ],
    ids=["postgres", "postgres cluster"],
)
async def test_cancelled_at_some_awaits(
    starter: Starter, last: int, tries: int, base: Path
) -> None:
    """The slow ones are cancelled at a sample of their awaits."""
    for suspension in random.Random(11).sample(range(1, last), tries):
        await cancelled_at(starter, suspension)
        assert names(base) == [], suspension
        assert living(base) == [], suspension
