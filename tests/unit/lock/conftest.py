"""A lock in memory."""

from collections.abc import AsyncIterator

import pytest

from loadpath.lock import DistributedLock, MemoryLockStore


@pytest.fixture
async def lock() -> AsyncIterator[DistributedLock]:
    """Give a lock in memory; nobody may wait at the end."""
    async with DistributedLock(MemoryLockStore(), label="me") as opened:
        yield opened
        assert opened.snapshot().waiting == 0
