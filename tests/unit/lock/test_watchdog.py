"""What is held for long is renewed in time, and one timer looks over all of it."""

import asyncio
from random import Random

from loadpath.lock import Ask, HeldLock, Lease
from loadpath.lock.watchdog import Watchdog


def held(name: str, ttl: float) -> HeldLock:
    """Give a lock that was just granted."""
    loop = asyncio.get_running_loop()
    lease = Lease(ttl)
    lease.ask(loop.time())
    lease.grant(1, loop.time())
    return HeldLock(name, Ask(f"somebody/{name}", ttl), lease, loop)


async def test_each_is_renewed_in_its_own_time() -> None:
    """A short lease beside long ones: only the short one is asked for."""
    renewed: list[str] = []

    async def renew(lock: HeldLock, _: float) -> bool:
        renewed.append(lock.key)
        return True

    locks = {name: held(name, ttl) for name, ttl in (("long", 60.0), ("short", 0.9))}
    watchdog = Watchdog(locks, renew, Random(1))
    for lock in locks.values():
        watchdog.watch(lock)
    await asyncio.sleep(1.2)
    assert set(renewed) == {"short"}
    assert locks["short"].held
    await watchdog.close()


async def test_what_is_let_go_is_renewed_no_more() -> None:
    """Not even by a question that is under way."""
    asked = asyncio.Event()
    answered = False

    async def renew(_: HeldLock, __: float) -> bool:
        nonlocal answered
        asked.set()
        await asyncio.sleep(0.2)
        answered = True
        return True

    lock = held("k", 0.15)
    locks = {"k": lock}
    watchdog = Watchdog(locks, renew, Random(1))
    watchdog.watch(lock)
    async with asyncio.timeout(30):
        await asked.wait()
    del locks["k"]
    watchdog.let_go(lock)
    await asyncio.sleep(0.3)
    assert not answered
    await watchdog.close()


async def test_a_store_that_says_no_ends_the_lease_once() -> None:
    """Whoever asked to be told is told, and nobody asks the store again."""
    told: list[str] = []
    asked = 0

    async def renew(_: HeldLock, __: float) -> bool:
        nonlocal asked
        asked += 1
        return False

    lock = held("k", 0.15)
    lock.when_lost(lambda: told.append("lost"))
    watchdog = Watchdog({"k": lock}, renew, Random(1))
    watchdog.watch(lock)
    await asyncio.sleep(0.4)
    assert (told, asked) == (["lost"], 1)
    assert lock.lost
    await watchdog.close()


async def test_a_lease_that_is_due_at_once_is_renewed_at_once() -> None:
    """As one that was granted to a waiter who had asked a while ago."""
    asked = asyncio.Event()

    async def renew(_: HeldLock, __: float) -> bool:
        asked.set()
        return True

    locks = {"long": held("long", 60.0)}
    watchdog = Watchdog(locks, renew, Random(1))
    watchdog.watch(locks["long"])
    late = held("late", 60.0)
    late._lease.asked -= 30.0
    locks["late"] = late
    watchdog.watch(late)
    async with asyncio.timeout(15):
        await asked.wait()
    await watchdog.close()
