"""What every resolver promises, wherever endpoints are: in a file, DNS, Valkey, PostgreSQL."""

import asyncio
import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import redis.asyncio

from loadpath.balance import Endpoint, EndpointSet
from loadpath.local import Postgres, Valkey, postgres, valkey
from loadpath.upstream import (
    DnsResolver,
    FileResolver,
    PostgresResolver,
    RedisResolver,
    ResolveError,
    Resolver,
    SrvResolver,
)
from loadpath.upstream.resolvers.resolver import Stream
from tests.contracts.dns_server import DnsServer, dns_server

SOON = 0.02
NEVER = 300.0
ADDRESSES = ["127.0.0.1:8001", "127.0.0.2:8001", "127.0.0.3:8001"]


class Place(ABC):
    """Hold endpoints somewhere, so that a resolver finds them there."""

    resolver: Resolver

    @abstractmethod
    async def put(self, addresses: list[str]) -> None:
        """Replace what is held."""

    @abstractmethod
    async def spoil(self) -> None:
        """Make it unreadable."""


class FilePlace(Place):
    """Hold endpoints in a file that is replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.resolver = FileResolver(path, interval=SOON)

    async def put(self, addresses: list[str]) -> None:
        """Replace the file."""
        new = self.path.with_suffix(".new")
        await asyncio.to_thread(new.write_text, json.dumps(addresses), encoding="utf-8")
        await asyncio.to_thread(os.replace, new, self.path)

    async def spoil(self) -> None:
        """Write half of it, in place."""
        await asyncio.to_thread(self.path.write_text, '["127.0.0.1:80', encoding="utf-8")


class DnsPlace(Place):
    """Hold endpoints as A records."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.resolver = DnsResolver(
            "orders.test", 8001, client=server.client(), floor=SOON, ceiling=SOON
        )

    async def put(self, addresses: list[str]) -> None:
        """Change the zone."""
        self.server.failing = False
        hosts = [each.partition(":")[0] for each in addresses]
        self.server.zone = {("orders.test", "A"): hosts, ("orders.test", "TXT"): ['"here"']}

    async def spoil(self) -> None:
        """Fail."""
        self.server.failing = True


class SrvPlace(DnsPlace):
    """Hold endpoints as SRV records."""

    def __init__(self, server: DnsServer) -> None:
        super().__init__(server)
        self.resolver = SrvResolver(
            "_http._tcp.orders.test", client=server.client(), floor=SOON, ceiling=SOON
        )

    async def put(self, addresses: list[str]) -> None:
        """Change the zone."""
        self.server.failing = False
        zone = {("_http._tcp.orders.test", "TXT"): ['"here"']}
        records = []
        for number, address in enumerate(addresses):
            zone[f"s{number}.test", "A"] = [address.partition(":")[0]]
            records.append(f"0 1 {address.partition(':')[2]} s{number}.test.")
        self.server.zone = {**zone, ("_http._tcp.orders.test", "SRV"): records}


class RedisPlace(Place):
    """Hold endpoints in a hash."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.client = client
        self.resolver = RedisResolver(client, "orders", interval=SOON)

    async def put(self, addresses: list[str]) -> None:
        """Replace the key."""
        async with self.client.pipeline() as pipe:
            pipe.delete("orders")
            for address in addresses:
                pipe.hset("orders", address, "1")
            await pipe.execute()

    async def spoil(self) -> None:
        """Make the key something else."""
        await self.client.set("orders", "text")


class RedisSetPlace(RedisPlace):
    """Hold endpoints in a set."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        super().__init__(client)
        self.resolver = RedisResolver(client, "orders", kind="set", interval=SOON)

    async def put(self, addresses: list[str]) -> None:
        """Replace the key."""
        async with self.client.pipeline() as pipe:
            pipe.delete("orders")
            if addresses:
                pipe.sadd("orders", *addresses)
            await pipe.execute()


class PostgresPlace(Place):
    """Hold endpoints in a table."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool
        self.resolver = PostgresResolver(pool, interval=SOON)

    async def put(self, addresses: list[str]) -> None:
        """Replace the rows in one transaction."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "drop table if exists endpoints; create table endpoints (host text, port int, "
                "weight int default 1, zone text default '', priority int default 0)"
            )
            rows = [(each.split(":")[0], int(each.split(":")[1])) for each in addresses]
            await connection.executemany("insert into endpoints values ($1, $2)", rows)

    async def spoil(self) -> None:
        """Lose the table."""
        await self.pool.execute("drop table endpoints")


class ToldTablePlace(PostgresPlace):
    """Hold endpoints in a table, and tell of every change."""

    async def put(self, addresses: list[str]) -> None:
        """Replace the rows, then tell."""
        await super().put(addresses)
        await self.pool.execute("notify orders")


@pytest.fixture(scope="module")
async def valkey_server() -> AsyncIterator[Valkey]:
    """Run one Valkey for this file."""
    async with valkey() as server:
        yield server


@pytest.fixture(scope="module")
async def postgres_server() -> AsyncIterator[Postgres]:
    """Run one PostgreSQL for this file."""
    async with postgres() as server:
        yield server


class Where(NamedTuple):
    """Hold what places are made of."""

    folder: Path
    valkey: Valkey
    postgres: Postgres


@asynccontextmanager
async def file_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in a file."""
    yield FilePlace(where.folder / "orders.json")


@asynccontextmanager
async def dns_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in A records."""
    del where
    async with dns_server() as server:
        yield DnsPlace(server)


@asynccontextmanager
async def srv_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in SRV records."""
    del where
    async with dns_server() as server:
        yield SrvPlace(server)


@asynccontextmanager
async def hash_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in a hash."""
    async with redis.asyncio.Redis.from_url(where.valkey.url) as client:
        yield RedisPlace(client)


@asynccontextmanager
async def set_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in a set, read by a client that decodes."""
    async with redis.asyncio.Redis.from_url(where.valkey.url, decode_responses=True) as client:
        yield RedisSetPlace(client)


@asynccontextmanager
async def table_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in a table."""
    async with asyncpg.create_pool(where.postgres.dsn, min_size=1, max_size=2) as pool:
        yield PostgresPlace(pool)


@asynccontextmanager
async def told_table_place(where: Where) -> AsyncIterator[Place]:
    """Make a place in a table whose changes whoever writes it tells."""
    async with asyncpg.create_pool(where.postgres.dsn, min_size=1, max_size=3) as pool:
        place = ToldTablePlace(pool)
        place.resolver = PostgresResolver(pool, interval=NEVER, channel="orders")
        yield place


PLACES = [file_place, dns_place, srv_place, hash_place, set_place, table_place]
TOLD = [told_table_place]


@pytest.fixture(params=PLACES, ids=[each.__name__.removesuffix("_place") for each in PLACES])
async def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    valkey_server: Valkey,
    postgres_server: Postgres,
) -> AsyncIterator[Place]:
    """Give each kind of place."""
    async with request.param(Where(tmp_path, valkey_server, postgres_server)) as made:
        yield made


async def next_of(stream: Stream) -> EndpointSet | ResolveError:
    """Return what the stream gives next."""
    async with asyncio.timeout(20):
        return await anext(stream)


async def next_set(stream: Stream, addresses: list[str]) -> None:
    """Wait for a set, past what a change that is no transaction shows in between."""
    wanted = {Endpoint.parse(each) for each in addresses}
    while True:
        found = await next_of(stream)
        if isinstance(found, EndpointSet) and set(found) == wanted:
            return


async def test_gives_the_set_and_then_each_change(place: Place) -> None:
    """What is there comes first; what is added, removed and replaced comes as it happens."""
    await place.put(ADDRESSES[:2])
    async with aclosing(place.resolver.watch()) as stream:
        await next_set(stream, ADDRESSES[:2])
        for addresses in (ADDRESSES, ADDRESSES[2:], ADDRESSES[:1]):
            await place.put(addresses)
            await next_set(stream, addresses)


async def test_gives_nothing_while_nothing_changes(place: Place) -> None:
    """Looking again and finding the same is no news."""
    await place.put(ADDRESSES)
    async with aclosing(place.resolver.watch()) as stream:
        await next_set(stream, ADDRESSES)
        more = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(10 * SOON)
        assert not more.done()
        more.cancel()
        await asyncio.wait([more])


async def test_says_what_is_wrong_and_recovers(place: Place) -> None:
    """Where nothing can be read a reason comes instead of a set, and later the set again."""
    await place.put(ADDRESSES)
    async with aclosing(place.resolver.watch()) as stream:
        await next_set(stream, ADDRESSES)
        await place.spoil()
        assert isinstance(await next_of(stream), ResolveError)
        await place.put(ADDRESSES)
        await next_set(stream, ADDRESSES)


async def test_an_empty_answer_is_no_set(place: Place) -> None:
    """No endpoints at all is told as a reason: the last good set serves on."""
    await place.put(ADDRESSES)
    async with aclosing(place.resolver.watch()) as stream:
        await next_set(stream, ADDRESSES)
        await place.put([])
        reason = await next_of(stream)
        assert isinstance(reason, ResolveError)
        assert "names no endpoints" in str(reason)
        await place.put(ADDRESSES[1:])
        await next_set(stream, ADDRESSES[1:])


async def test_the_first_look_may_fail_too(place: Place) -> None:
    """A place that is empty at first gives its reason, then its set."""
    await place.put([])
    async with aclosing(place.resolver.watch()) as stream:
        assert isinstance(await next_of(stream), ResolveError)
        await place.put(ADDRESSES)
        await next_set(stream, ADDRESSES)


async def test_leaves_no_task_when_it_is_closed_or_cancelled(place: Place) -> None:
    """Whoever stops listening, at whatever moment, leaves nothing running."""
    await place.put(ADDRESSES)
    before = asyncio.all_tasks()
    for turns in range(0, 60, 7):
        stream = place.resolver.watch()
        asking = asyncio.ensure_future(anext(stream))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await stream.aclose()
    assert asyncio.all_tasks() <= before


@pytest.fixture(params=TOLD, ids=[each.__name__.removesuffix("_place") for each in TOLD])
async def told_place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    valkey_server: Valkey,
    postgres_server: Postgres,
) -> AsyncIterator[Place]:
    """Give each kind of place whose changes are told."""
    async with request.param(Where(tmp_path, valkey_server, postgres_server)) as made:
        yield made


async def test_a_notice_is_followed_at_once(told_place: Place) -> None:
    """Nobody looks for five minutes, and yet every change comes."""
    await told_place.put(ADDRESSES[:1])
    async with aclosing(told_place.resolver.watch()) as stream:
        await next_set(stream, ADDRESSES[:1])
        await asyncio.sleep(0.2)  # it listens by now
        for addresses in (ADDRESSES, ADDRESSES[1:], ADDRESSES[:1]):
            await told_place.put(addresses)
            await next_set(stream, addresses)


async def test_stopping_to_listen_leaves_no_task(told_place: Place) -> None:
    """Whoever stops, at whatever moment, leaves nothing running and no connection lent."""
    await told_place.put(ADDRESSES)
    before = asyncio.all_tasks()
    for turns in range(0, 90, 5):
        stream = told_place.resolver.watch()
        asking = asyncio.ensure_future(anext(stream))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        asking.cancel()
        await asyncio.wait([asking])
        await stream.aclose()
    assert asyncio.all_tasks() <= before


async def test_a_lost_listener_of_postgres_is_made_anew(postgres_server: Postgres) -> None:
    """Its backend is ended: another one listens, and what was missed is looked up."""
    listeners = (
        "select pid from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()"
    )
    async with asyncpg.create_pool(postgres_server.dsn, min_size=1, max_size=3) as pool:
        place = ToldTablePlace(pool)
        resolver = PostgresResolver(pool, interval=0.5, channel="orders")
        await place.put(ADDRESSES)
        async with aclosing(resolver.watch()) as stream:
            await next_set(stream, ADDRESSES)
            ended = 0
            async with asyncio.timeout(20):
                while not ended:
                    await asyncio.sleep(SOON)
                    ended = await pool.fetchval(
                        f"select count(pg_terminate_backend(pid)) from ({listeners}) l"
                    )
            await place.put(ADDRESSES[1:])
            await next_set(stream, ADDRESSES[1:])
            asking = asyncio.ensure_future(anext(stream))
            async with asyncio.timeout(20):
                while not await pool.fetch(listeners):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(SOON)
            asking.cancel()
            await asyncio.wait([asking])
