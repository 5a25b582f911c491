"""One PostgreSQL for all timeline tests, a fresh record for each, and the API as a process."""

from collections.abc import AsyncIterator

import pytest

from loadpath.local import Postgres, postgres
from loadpath.systems.timeline.record.postgres import Record
from tests.integration.timeline.processes import Api, api_process, fresh_database


@pytest.fixture(scope="session")
async def timeline_postgres() -> AsyncIterator[Postgres]:
    """Run one PostgreSQL server that need not survive a power loss."""
    async with postgres(relaxed=True, settings={"max_connections": 200}) as server:
        yield server


@pytest.fixture
async def record_dsn(timeline_postgres: Postgres) -> AsyncIterator[str]:
    """Give a database of the test's own."""
    async with fresh_database(timeline_postgres) as dsn:
        yield dsn


@pytest.fixture
async def record(record_dsn: str) -> AsyncIterator[Record]:
    """Give an open record of the test's own."""
    async with Record.open(record_dsn, connections=4) as opened:
        yield opened


@pytest.fixture(scope="module")
async def api(
    timeline_postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """Run one API process, over a record of its own, for the tests of a module."""
    async with (
        fresh_database(timeline_postgres) as dsn,
        api_process(dsn, tmp_path_factory.mktemp("api")) as running,
    ):
        yield running


@pytest.fixture(scope="module")
async def api_record(api: Api) -> AsyncIterator[Record]:
    """Open the record of the module's API process."""
    async with Record.open(api.dsn, connections=2) as opened:
        yield opened
