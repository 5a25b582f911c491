"""Servers that a test may break, reached through links that it may hold or cut."""

from collections.abc import AsyncIterator

import pytest

from loadpath.local import Postgres, postgres
from tests.faults.resp.conftest import link, server

__all__ = ["link", "server"]


@pytest.fixture(scope="session")
async def queue_postgres() -> AsyncIterator[Postgres]:
    """Run one PostgreSQL for queues and outboxes; a kill of a client loses nothing in it."""
    async with postgres(relaxed=True) as running:
        yield running
