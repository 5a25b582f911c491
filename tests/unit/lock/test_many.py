"""Several locks at once, without a deadlock."""

import asyncio
from itertools import permutations

import pytest

from loadpath.lock import DistributedLock, LeaseLost, LockOptions, LockTimeout, hold_all

ONCE = LockOptions(wait=0.0)


async def test_any_order_of_names_ends(lock: DistributedLock) -> None:
    """Tasks that name the same locks in every order never wait for each other in a circle."""
    inside = 0

    async def work(keys: tuple[str, ...]) -> None:
        nonlocal inside
        async with hold_all(lock, keys, options=LockOptions(wait=60.0)) as held:
            assert list(held) == ["a", "b", "c"]
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(keys) for keys in permutations("abc") for _ in range(5)))
    assert not await lock.store.held()


async def test_all_or_none(lock: DistributedLock) -> None:
    """When the last one is not to be had, the others are given back."""
    async with lock.hold("c"):
        with pytest.raises(LockTimeout, match="'c'"):
            async with hold_all(lock, ["c", "a", "b", "a"], options=ONCE):
                pass
        assert [held.key for held in await lock.store.held()] == ["c"]


@pytest.mark.parametrize("lost", ["a", "b"])
async def test_one_that_is_lost_ends_the_block(lock: DistributedLock, lost: str) -> None:
    """The inner one or the outer one: the error says which."""
    options = LockOptions(ttl=0.1)
    with pytest.raises(LeaseLost, match=lost):  # noqa: PT012 - the section
        async with hold_all(lock, ["a", "b"], options=options):
            await lock.store.evict(lost)
            await asyncio.sleep(60)
    assert not await lock.store.held()


async def test_one_str_is_no_collection_of_names(lock: DistributedLock) -> None:
    """Its letters would be locked."""
    with pytest.raises(ValueError, match="several names"):
        async with hold_all(lock, "user"):
            pass
