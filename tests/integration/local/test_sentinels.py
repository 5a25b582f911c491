"""A primary, its replicas and their Sentinels, real ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel

from loadpath.local import Valkey, ValkeySentinel, valkey_sentinel
from loadpath.local.valkey_group import fields
from loadpath.local.valkey_server import ask

# redis-py reads its own version from the disk for a new connection.
pytestmark = pytest.mark.blocking


@asynccontextmanager
async def known(group: ValkeySentinel) -> AsyncIterator[Sentinel]:
    """Give redis-py's view of them."""
    sentinel = Sentinel(
        group.addresses, sentinel_kwargs={"password": group.password}, password=group.password
    )
    try:
        yield sentinel
    finally:
        for each in sentinel.sentinels:
            await each.aclose()


async def until_primary(sentinel: Sentinel, group: ValkeySentinel, not_on: int | None) -> int:
    """Return the port of the primary once it is another one."""
    async with asyncio.timeout(60):
        while True:
            with suppress(MasterNotFoundError):
                _, port = await sentinel.discover_master(group.name)
                if port != not_on:
                    return int(port)
            await asyncio.sleep(0.05)


async def follows(server: Valkey) -> int:
    """Return the port of the primary that a replica follows, 0 while it follows none."""
    assert server.port is not None
    found = fields(await ask(server.port, server.password, "INFO replication"))
    up = found.get("master_link_status") == "up"
    return int(found["master_port"]) if up else 0


async def test_a_primary_that_dies_is_replaced_and_everybody_remembers() -> None:
    """Data is kept; a replica and a Sentinel that are started again know the new primary."""
    async with valkey_sentinel(relaxed=True, down_after=0.6) as group, known(group) as sentinel:
        first = group.nodes[0]
        assert (await sentinel.discover_master(group.name))[1] == first.port
        async with sentinel.master_for(group.name) as client:
            await client.set("k", "kept")
            await client.wait(2, 30_000)
        await first.kill()
        port = await until_primary(sentinel, group, first.port)
        async with sentinel.master_for(group.name) as client:
            assert await client.get("k") == b"kept"
        (third,) = (node for node in group.nodes[1:] if node.port != port)
        async with asyncio.timeout(60):
            while await follows(third) != port:  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.05)
        await third.restart()
        await group.sentinels[0].restart()
        async with asyncio.timeout(60):
            while await follows(third) != port:  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.05)
        assert await until_primary(sentinel, group, None) == port


async def test_nothing_is_left_behind() -> None:
    """Neither a process nor the folder, also when the block fails."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block
        async with valkey_sentinel(replicas=1, relaxed=True) as group:
            everything = [*group.nodes, *group.sentinels]
            assert all(each.running for each in everything)
            assert not group.nodes[0].facts.synced
            raise ZeroDivisionError
    assert not any(each.running for each in everything)
    assert not any(each.folder.exists() for each in everything)


async def test_a_stranger_learns_nothing() -> None:
    """Servers and Sentinels ask for the password."""
    async with valkey_sentinel(replicas=1, relaxed=True) as group:
        for each in (*group.nodes, *group.sentinels):
            assert each.port is not None
            assert await ask(each.port, "wrong", "PING") is None
            assert await ask(each.port, group.password, "PING") == "PONG"
