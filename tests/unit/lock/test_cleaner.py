"""What nobody wants any more is given back, and never more than a bounded number is kept."""

import asyncio
from random import Random

from loadpath.lock import Ask
from loadpath.lock import cleaner as module
from loadpath.lock.cleaner import Cleaner


def ask(number: int) -> Ask:
    """Ask under a name of its own."""
    return Ask(f"somebody/{number}", 1.0)


async def until_done(cleaner: Cleaner) -> None:
    """Return once nothing is left."""
    async with asyncio.timeout(30):
        while cleaner.left:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


async def test_it_tries_until_the_store_answers() -> None:
    """Whatever the store raises meanwhile."""
    errors: list[Exception] = [ConnectionError("not there"), RuntimeError("a bug")]
    released: list[str] = []

    async def release(key: str, _: Ask) -> bool:
        if errors:
            raise errors.pop()
        released.append(key)
        return True

    cleaner = Cleaner(release, Random(1))
    cleaner.add("k", ask(1), asyncio.get_running_loop().time() + 60)
    await until_done(cleaner)
    assert released == ["k"]


async def test_it_ends_when_the_lease_has_ended_by_itself() -> None:
    """A store that never comes back is not asked for ever."""
    tries = 0

    async def release(_: str, __: Ask) -> bool:
        nonlocal tries
        tries += 1
        raise ConnectionError("not there")

    cleaner = Cleaner(release, Random(1))
    cleaner.add("k", ask(1), asyncio.get_running_loop().time() + 0.1)
    await until_done(cleaner)
    assert tries >= 2


async def test_the_oldest_go_first_when_there_are_too_many() -> None:
    """They end by their ttl; memory stays bounded."""
    gate = asyncio.Event()

    async def release(_: str, __: Ask) -> bool:
        await gate.wait()
        return True

    cleaner = Cleaner(release, Random(1))
    until = asyncio.get_running_loop().time() + 60
    for number in range(module.MOST + 50):
        cleaner.add("k", ask(number), until)
    assert cleaner.left == module.MOST
    gate.set()
    await until_done(cleaner)


async def test_closing_ends_the_work() -> None:
    """After a while, done or not; no task is left."""
    before = asyncio.all_tasks()

    async def release(_: str, __: Ask) -> bool:
        await asyncio.sleep(60)
        return True

    cleaner = Cleaner(release, Random(1))
    await cleaner.close(within=0.01)
    cleaner.add("k", ask(1), asyncio.get_running_loop().time() + 60)
    await cleaner.close(within=0.01)
    assert asyncio.all_tasks() <= before
