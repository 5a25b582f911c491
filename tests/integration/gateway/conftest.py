"""What tests of a whole gateway share: nothing is left open at the end of any."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.running import open_files, until


@pytest.fixture(autouse=True)
async def _no_file_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves a file or a socket open."""
    before = await open_files()
    yield
    await until(before)
