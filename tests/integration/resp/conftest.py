"""One Valkey for the tests that break nothing, and clients of it."""

from collections.abc import AsyncIterator

import pytest

from loadpath.local import Valkey, valkey
from loadpath.resp import RespClient


@pytest.fixture(scope="session")
async def resp_valkey() -> AsyncIterator[Valkey]:
    """Run one Valkey server that need not survive a crash."""
    async with valkey(relaxed=True) as server:
        yield server


@pytest.fixture
async def client(resp_valkey: Valkey) -> AsyncIterator[RespClient]:
    """Give an open client over an empty database."""
    async with RespClient(resp_valkey.url) as opened:
        await opened.execute("FLUSHALL")
        yield opened
