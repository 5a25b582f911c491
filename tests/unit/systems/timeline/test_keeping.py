"""Behaviour of keeping one process up, and of what is said when that fails."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loadpath.core.backoff import Backoff
from loadpath.local import Child, Plan
from loadpath.systems.timeline import keeping
from loadpath.systems.timeline.keeping import Keeper

QUICK = Backoff(base=0.001, cap=0.002)


@pytest.fixture(autouse=True)
def _nothing_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes long to start a process that ends at once."""
    monkeypatch.setattr(keeping, "STEADY", 600.0)


@asynccontextmanager
async def kept(folder: Path, code: str, *, attempts: int = 2) -> AsyncIterator[Keeper]:
    """Start a Python process, to be kept up."""
    plan = Plan(name="worker", command=[sys.executable, "-c", code], log=folder / "worker.log")

    async def started() -> bool:
        return True

    async with Child(plan, ready=started) as child:
        yield Keeper(child, backoff=QUICK, attempts=attempts)


async def test_one_that_comes_up_and_ends_again_is_given_up_with_its_last_words(
    tmp_path: Path,
) -> None:
    """It was started as often as allowed, and what it says is of its last run only."""
    count = tmp_path / "count"
    code = f"f = open({str(count)!r}, 'a'); f.write('x'); f.close(); print('no luck'); exit(3)"
    async with kept(tmp_path, code) as keeper:
        failure = await keeper.keep()
    assert str(failure) == "worker: ended with status 3\nIts last lines:\nno luck"
    assert (await asyncio.to_thread(count.read_text)) == "xxx"
    assert not keeper.up.is_set()


async def test_one_that_says_nothing_is_quoted_with_nothing(tmp_path: Path) -> None:
    """No heading over empty lines."""
    async with kept(tmp_path, "exit(3)") as keeper:
        assert str(await keeper.keep()) == "worker: ended with status 3"


async def test_one_that_is_killed_on_purpose_is_never_given_up(tmp_path: Path) -> None:
    """However often."""
    async with kept(tmp_path, "import time; time.sleep(60)", attempts=1) as keeper:
        keeping = asyncio.create_task(keeper.keep())
        for _ in range(4):
            await keeper.kill()
            await keeper.up.wait()
        assert not keeping.done()
        keeping.cancel()
        await asyncio.wait([keeping])
