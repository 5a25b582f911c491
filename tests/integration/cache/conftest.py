"""One Valkey for the tests that break nothing, and two processes' worth of caches on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from loadpath.cache import MultiLayerCache, TrackingBackplane, ValkeyStore, tracking
from loadpath.local import Valkey
from loadpath.resp import RespClient
from tests.integration.resp.conftest import resp_valkey

__all__ = ["resp_valkey"]

Open = Callable[..., AbstractAsyncContextManager[MultiLayerCache]]


@pytest.fixture
async def nodes(resp_valkey: Valkey) -> Open:
    """Give what opens a cache of its own connection over an empty server."""
    async with RespClient(resp_valkey.url) as client:
        await client.execute("FLUSHALL")

    @asynccontextmanager
    async def node(*, heard: bool = True, **given: Any) -> AsyncIterator[MultiLayerCache]:
        begin = tracking() if heard else []
        async with RespClient(resp_valkey.url, begin=begin) as client:
            backplane = TrackingBackplane(client) if heard else None
            async with MultiLayerCache(ValkeyStore(client), backplane=backplane, **given) as cache:
                yield cache

    return node
