"""What tests of a whole gateway share: nothing is left behind at the end of any."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.running import open_files, until

SHARED = {"stage", "running"}
"""Gateways that several tests of a module share: they keep connections from one to the next."""


@pytest.fixture(autouse=True)
async def _no_task_is_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves a task running."""
    if SHARED.intersection(request.fixturenames):
        yield
        return
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left


@pytest.fixture(autouse=True)
async def _no_file_is_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves a file or a socket open."""
    if SHARED.intersection(request.fixturenames):
        yield
        return
    before = await open_files()
    yield
    await until(before)
