"""One PostgreSQL and one Valkey for the tests of locks that break nothing."""

from collections.abc import AsyncIterator

import pytest

from loadpath.local import Postgres, postgres
from tests.integration.resp.conftest import client, resp_valkey

__all__ = ["client", "resp_valkey"]


@pytest.fixture(scope="session")
async def lock_postgres() -> AsyncIterator[Postgres]:
    """Run one PostgreSQL server that need not survive a power loss."""
    async with postgres(relaxed=True) as server:
        yield server
