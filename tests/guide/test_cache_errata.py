"""Defects of the guide's caches, each shown by one scenario against them and ours.

A scenario is written once, against what a user of either cache can do. The rendering of the guide
must fail it; ours must pass, both on a real Valkey.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from loadpath.cache import (
    EntryOptions,
    MultiLayerCache,
    StreamQueue,
    Successions,
    ValkeyStore,
    WriteBehind,
    warm,
)
from loadpath.local import Valkey, valkey
from loadpath.resp import RespClient
from loadpath.testing import FakeClock
from tests.guide.as_written.cache import (
    CacheInvalidationStrategy,
    CacheManager,
    CacheWarmupStrategy,
)
from tests.guide.as_written.cache import MultiLayerCache as CacheAsWritten
from tests.guide.as_written.timeline import Process

Load = Callable[[], Awaitable[Any]]
RULE = ["user:{id}", "user:{id}:profile", "user:{id}:preferences"]


class Caching(Protocol):
    """Do what a user of either cache can do."""

    clock: FakeClock
    server: RespClient
    database: dict[str, Any]

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store a value, for as long as the defaults say or for `ttl` seconds."""
        ...

    async def get(self, key: str, *, node: int = 0) -> Any:
        """Read a key, in one of two processes; None for a miss."""
        ...

    async def get_or_load(self, key: str, load: Load) -> Any:
        """Read a key, loading it when it is not there."""
        ...

    async def user_changed(self, id_: str) -> None:
        """Invalidate what belongs to a user."""
        ...

    async def invalidate_old(self) -> None:
        """Invalidate everything stored before now."""
        ...

    async def write_behind(self, key: str, value: Any) -> None:
        """Write, and have the database follow."""
        ...

    async def crash(self) -> None:
        """Kill the process, start it again, and let it work off what it has."""
        ...

    async def seen(self, user: str, key: str) -> None:
        """Learn that a user asked for a key."""
        ...

    async def warm_ahead(self, user: str) -> None:
        """Warm what the user will ask for next."""
        ...

    def hit_ratio(self) -> float:
        """Return the share of reads that hit (0-1)."""
        ...


async def the_shared_layer_outlives_memory(cache: Caching) -> None:
    """Six minutes later memory has forgotten it; the layer that keeps an hour has not."""
    await cache.set("k", "v")
    cache.clock.advance(360.0)
    assert await cache.get("k") == "v"


async def reading_does_not_keep_it_young(cache: Caching) -> None:
    """A process that reads every four minutes sees the other's change within its five minutes."""
    await cache.set("k", "old", 3_600.0)
    assert await cache.get("k", node=1) == "old"
    await cache.set("k", "new", 3_600.0)
    for _ in range(5):
        cache.clock.advance(240.0)
        value = await cache.get("k", node=1)
    assert value == "new"


async def what_is_not_there_is_remembered(cache: Caching) -> None:
    """A row that does not exist is looked up once."""
    lookups = 0

    async def load() -> None:
        nonlocal lookups
        lookups += 1

    for _ in range(3):
        assert await cache.get_or_load("nobody", load) is None
    assert lookups == 1


async def neighbours_stay(cache: Caching) -> None:
    """A change of user 1 invalidates neither user 10 nor the superuser."""
    for key in ("user:1", "user:10", "superuser:1"):
        await cache.set(key, key)
    await cache.user_changed("1")
    assert await cache.get("user:1") is None
    before = await _reads(cache.server)
    assert await cache.get("user:10") == "user:10"
    assert await cache.get("superuser:1") == "superuser:1"
    assert await _reads(cache.server) == before, "memory still had both"


async def the_server_is_not_blocked(cache: Caching) -> None:
    """Invalidating never walks the whole server in one command."""
    await cache.set("user:1", "v")
    await cache.user_changed("1")
    assert await _commands(cache.server, "keys") == 0


async def _commands(server: RespClient, name: str) -> int:
    """Return how often the server was given a command."""
    info: Any = await server.execute("INFO", "commandstats")
    for line in info.decode().splitlines():
        if line.startswith(f"cmdstat_{name}:"):
            return int(line.partition("calls=")[2].partition(",")[0])
    return 0


async def _reads(server: RespClient) -> int:
    """Return how often the server was asked for values."""
    return await _commands(server, "get") + await _commands(server, "mget")


async def the_hit_ratio_is_counted(cache: Caching) -> None:
    """One hit of four reads is a quarter."""
    await cache.set("k", "v")
    for key in ("k", "a", "b", "c"):
        await cache.get(key)
    assert cache.hit_ratio() == pytest.approx(0.25)


async def by_time_invalidates(cache: Caching) -> None:
    """Everything stored before now is gone."""
    await cache.set("k", "v")
    await cache.invalidate_old()
    assert await cache.get("k") is None


async def an_acknowledged_write_survives(cache: Caching) -> None:
    """The process dies right after; the database gets it all the same."""
    await cache.write_behind("k", "v")
    await cache.crash()
    assert cache.database == {"k": "v"}


async def behaviour_is_looked_at(cache: Caching) -> None:
    """Whoever reads chapter 1 goes on to chapter 2; so does the next one."""
    for user in ("a", "b", "c"):
        await cache.seen(user, "chapter:1")
        await cache.seen(user, "chapter:2")
    await cache.seen("d", "chapter:1")
    await cache.warm_ahead("d")
    assert await cache.get("chapter:2") == "chapter:2"


async def a_cold_key_is_loaded_once(cache: Caching) -> None:
    """For a hundred tasks at once."""
    loads = 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.05)
        return "v"

    values = await asyncio.gather(*(cache.get_or_load("cold", load) for _ in range(100)))
    assert set(values) == {"v"}
    assert loads == 1


async def a_late_fill_is_refused(cache: Caching) -> None:
    """A row is read, changed and invalidated, and only then is what was read stored."""
    row, begun, gate = "old", asyncio.Event(), asyncio.Event()

    async def load() -> str:
        found = row
        begun.set()
        await gate.wait()
        return found

    reader = asyncio.create_task(cache.get_or_load("user:1", load))
    await begun.wait()
    row = "new"
    await cache.user_changed("1")
    gate.set()
    await reader
    assert await cache.get_or_load("user:1", load) == "new"


class AsWritten:
    """Use the guide's caches."""

    def __init__(self, server: RespClient) -> None:
        self.clock = FakeClock()
        self.server = server
        self.database: dict[str, Any] = {}
        self._nodes = [CacheAsWritten(server, self.clock) for _ in range(2)]
        self._rules = CacheInvalidationStrategy(self._nodes[0])
        self._rules.register_rule("user", RULE)
        self._process = Process()
        self._manager = CacheManager(server, self._process, self._save)
        self._seen: list[tuple[str, str]] = []

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store a value."""
        await self._nodes[0].set(key, value, ttl)

    async def get(self, key: str, *, node: int = 0) -> Any:
        """Read a key."""
        return await self._nodes[node].get(key)

    async def get_or_load(self, key: str, load: Load) -> Any:
        """Read a key through the manager, whose keys have no prefix."""
        return await self._manager.get_or_set(f"cache:{key}", load)

    async def user_changed(self, id_: str) -> None:
        """Invalidate by the rules."""
        await self._rules.invalidate_on_entity_change("user", id_)

    async def invalidate_old(self) -> None:
        """Invalidate by time."""
        await self._rules.invalidate_by_time(0.0)

    async def write_behind(self, key: str, value: Any) -> None:
        """Write behind."""
        await self._manager.write_behind(key, value)

    async def crash(self) -> None:
        """Kill the process; the next one knows of nothing to do."""
        await self._process.die()

    async def seen(self, user: str, key: str) -> None:
        """Keep what users did, for the source to tell."""
        self._seen.append((user, key))

    async def warm_ahead(self, user: str) -> None:
        """Warm ahead."""
        await CacheWarmupStrategy(self._nodes[0], self).predictive_warmup(user)

    async def get_user_behavior(self, user: str) -> list[str]:
        """Tell what the user did, as the guide's data source."""
        return [key for who, key in self._seen if who == user]

    async def get_recommendations(self, _: str) -> list[dict[str, Any]]:
        """Tell what is recommended to everybody, as the guide's data source."""
        return [{"id": "bestseller"}]

    def hit_ratio(self) -> float:
        """Return what the statistics say."""
        return float(self._nodes[0].get_stats()["l1"]["hitRate"])

    async def _save(self, key: str, value: Any) -> None:
        self.database[key] = value


class Ours:
    """Use ours."""

    def __init__(self, server: RespClient, caches: list[MultiLayerCache], clock: FakeClock) -> None:
        self.clock = clock
        self.server = server
        self.database: dict[str, Any] = {}
        self._nodes = caches
        self._nodes[0].rules.register_rule("user", RULE)
        self._successions = Successions()

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store a value."""
        await self._nodes[0].set(key, value, EntryOptions(l2_ttl=ttl or 3_600.0))

    async def get(self, key: str, *, node: int = 0) -> Any:
        """Read a key."""
        return await self._nodes[node].get(key)

    async def get_or_load(self, key: str, load: Load) -> Any:
        """Read a key."""
        return await self._nodes[0].get_or_set(key, load)

    async def user_changed(self, id_: str) -> None:
        """Invalidate by the rules."""
        await self._nodes[0].invalidate_entity("user", id_)

    async def invalidate_old(self) -> None:
        """Invalidate by time."""
        await self._nodes[0].invalidate_by_time()

    async def write_behind(self, key: str, value: Any) -> None:
        """Write behind, in a process whose database hangs until that process dies."""

        async def hang(_: object) -> None:
            await asyncio.Event().wait()

        dying = WriteBehind(self._nodes[0], StreamQueue(self.server), hang, lease=0.2)
        await dying.__aenter__()
        await dying.put(key, value)
        assert dying._task is not None
        dying._task.cancel()
        await asyncio.wait([dying._task])

    async def crash(self) -> None:
        """Start another process, which works off the queue."""

        async def apply(writes: Any) -> None:
            self.database.update({write.key: write.value for write in writes})

        async with WriteBehind(self._nodes[0], StreamQueue(self.server), apply) as writes:
            await writes.flush(timeout=30)

    async def seen(self, user: str, key: str) -> None:
        """Observe."""
        self._successions.record(user, key)

    async def warm_ahead(self, user: str) -> None:
        """Warm what the observations predict."""

        async def load(key: str) -> str:
            return key

        await warm(self._nodes[0], self._successions.predict(user), load)

    def hit_ratio(self) -> float:
        """Return what was counted."""
        stats = self._nodes[0].snapshot().l1
        assert stats is not None
        return stats.hit_ratio


SCENARIOS = [
    the_shared_layer_outlives_memory,
    reading_does_not_keep_it_young,
    what_is_not_there_is_remembered,
    neighbours_stay,
    the_server_is_not_blocked,
    the_hit_ratio_is_counted,
    by_time_invalidates,
    an_acknowledged_write_survives,
    behaviour_is_looked_at,
    a_cold_key_is_loaded_once,
    a_late_fill_is_refused,
]
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
Scenario = Callable[[Caching], Awaitable[None]]


@pytest.fixture(scope="module")
async def guide_valkey() -> AsyncIterator[Valkey]:
    """Run one server for all scenarios."""
    async with valkey(relaxed=True) as server:
        yield server


@pytest.fixture
async def empty(guide_valkey: Valkey) -> AsyncIterator[RespClient]:
    """Give a connection to an empty server that has counted nothing."""
    async with RespClient(guide_valkey.url) as client:
        await client.execute("FLUSHALL")
        await client.execute("CONFIG", "RESETSTAT")
        yield client


@every_scenario
async def test_the_guide_as_written_fails(scenario: Scenario, empty: RespClient) -> None:
    """The defect is there."""
    with pytest.raises(AssertionError):
        await scenario(AsWritten(empty))


@every_scenario
async def test_ours_passes(scenario: Scenario, empty: RespClient) -> None:
    """And here it is not."""
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        caches = [
            await stack.enter_async_context(MultiLayerCache(ValkeyStore(empty), clock=clock))
            for _ in range(2)
        ]
        await scenario(Ours(empty, caches, clock))
