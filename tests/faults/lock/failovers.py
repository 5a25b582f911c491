"""A primary that dies under load, watched by Sentinels or in a cluster, and its clients."""

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.sentinel import Sentinel

from loadpath.local import Valkey, valkey_cluster, valkey_sentinel
from loadpath.lock.redis import RedisLockStore
from loadpath.resp import RespClient
from loadpath.resp.redis import RedisCommands


@dataclass(frozen=True, slots=True)
class Replicated:
    """Servers that replace a primary.

    Attributes:
        primary: The one that the key of the tests is on.
        replicas: Those that could take over.
        client: redis-py's.
    """

    primary: Valkey
    replicas: Sequence[Valkey]
    client: Any

    def store(self, **how: Any) -> RedisLockStore:
        """Return a store for locks."""
        return RedisLockStore(RedisCommands(self.client), **how)

    @asynccontextmanager
    async def unheard(self) -> AsyncIterator[None]:
        """Stop the replicas and cut them off: what the primary does within, they never hear."""
        for replica in self.replicas:
            replica._started().send_signal(signal.SIGSTOP)
        async with RespClient(self.primary.url) as admin:
            await admin.execute("CLIENT", "KILL", "TYPE", "REPLICA")
        try:
            yield
        finally:
            for replica in self.replicas:
                replica._started().send_signal(signal.SIGCONT)


@asynccontextmanager
async def by_sentinels() -> AsyncIterator[Replicated]:
    """Run a primary, two replicas and three Sentinels."""
    async with valkey_sentinel(relaxed=True, down_after=0.6) as group:
        known = Sentinel(
            group.addresses,
            sentinel_kwargs={"password": group.password, "socket_timeout": 1.0},
            password=group.password,
            socket_timeout=1.0,
        )
        async with known.master_for(group.name) as client:
            primary, *replicas = group.nodes
            yield Replicated(primary, replicas, client)
        for each in known.sentinels:
            await each.aclose()


@asynccontextmanager
async def by_a_cluster() -> AsyncIterator[Replicated]:
    """Run three primaries with a replica each."""
    async with (
        valkey_cluster(relaxed=True, settings={"cluster-node-timeout": 800}) as group,
        RedisCluster.from_url(group.url, socket_timeout=1.0) as client,
    ):
        await client.initialize()
        port = client.get_node_from_key("loadpath:lock:{k}").port
        place = [node.port for node in group.nodes].index(port)
        yield Replicated(group.nodes[place], [group.nodes[place + 3]], client)
