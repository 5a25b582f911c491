"""A server that answers whatever a test wants, and a link that can hold what passes."""

from collections.abc import AsyncIterator

import pytest

from loadpath.local import Valkey, valkey
from loadpath.resp import Limits
from tests.faults.resp.link import Link

QUICK = Limits(connect_timeout=1.0, read_timeout=0.3, keepalive=0.3)
"""Limits under which a stall is noticed soon."""


@pytest.fixture
async def server() -> AsyncIterator[Valkey]:
    """Run a Valkey server that a test may break."""
    async with valkey(relaxed=True) as running:
        yield running


@pytest.fixture
async def link(server: Valkey) -> AsyncIterator[Link]:
    """Put a link between a client and the server."""
    assert server.port is not None
    async with Link(server.port) as opened:
        yield opened
