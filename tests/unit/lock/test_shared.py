"""Readers and a writer, and permits that are counted."""

import asyncio

import pytest

from loadpath.lock import (
    DistributedLock,
    LeaseLost,
    LockOptions,
    LockTimeout,
    ReadWriteLock,
    Semaphore,
)

ONCE = LockOptions(wait=0.0)


async def test_readers_share_and_a_writer_is_alone(lock: DistributedLock) -> None:
    """Never a reader beside a writer, and each gets its turn."""
    both = ReadWriteLock(lock, "k", options=LockOptions(wait=60.0))
    reading = writing = most = 0

    async def read() -> None:
        nonlocal reading, most
        async with both.read():
            reading += 1
            most = max(most, reading)
            assert not writing
            await asyncio.sleep(0.001)
            reading -= 1

    async def write() -> None:
        nonlocal writing
        async with both.write():
            writing += 1
            assert writing == 1
            assert not reading
            await asyncio.sleep(0.001)
            writing -= 1

    await asyncio.gather(*(write() if number % 5 == 0 else read() for number in range(50)))
    assert most > 1


async def test_a_waiting_writer_goes_before_later_readers(lock: DistributedLock) -> None:
    """Readers that keep coming do not starve it."""
    both = ReadWriteLock(lock, "k")
    order: list[str] = []

    async def write() -> None:
        async with both.write():
            order.append("write")

    async def read() -> None:
        async with both.read():
            order.append("read")

    async with both.read():
        writer = asyncio.create_task(write())
        for _ in range(5):
            await asyncio.sleep(0)
        reader = asyncio.create_task(read())
        for _ in range(5):
            await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(writer, reader)
    assert order == ["write", "read"]


async def test_permits_are_never_exceeded(lock: DistributedLock) -> None:
    """However many want one, and however many one wants."""
    permits = Semaphore(lock, "k", permits=3, options=LockOptions(wait=60.0))
    taken = most = 0

    async def work(number: int) -> None:
        nonlocal taken, most
        wanted = 1 + number % 3
        async with permits.hold(wanted):
            taken += wanted
            most = max(most, taken)
            await asyncio.sleep(0.001)
            taken -= wanted

    await asyncio.gather(*(work(number) for number in range(40)))
    assert most == 3


async def test_the_permit_of_a_dead_holder_expires(lock: DistributedLock) -> None:
    """Its block ends, and somebody else has the permit."""
    short = Semaphore(lock, "k", permits=2, options=LockOptions(ttl=0.1, wait=30.0))
    with pytest.raises(LeaseLost):  # noqa: PT012 - the section
        async with short.hold(2):
            await lock.store.evict("k")
            async with Semaphore(lock, "k", permits=2).hold():
                await asyncio.sleep(60)


async def test_more_permits_than_there_are_is_an_error_not_a_wait(lock: DistributedLock) -> None:
    """It could never be had."""
    permits = Semaphore(lock, "k", permits=2, options=ONCE)
    with pytest.raises(ValueError, match="capacity"):
        async with permits.hold(3):
            pass
    with pytest.raises(ValueError, match="plain lock"):
        Semaphore(lock, "k", permits=1)
    async with permits.hold(2):
        with pytest.raises(LockTimeout):
            async with permits.hold():
                pass
