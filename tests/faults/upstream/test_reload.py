"""Sets that change under load: no request is lost, nothing of a gone endpoint stays."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from loadpath.balance import Balancer, EndpointSet, LeastResponseTime, Policy, RoundRobin
from loadpath.upstream import ResolveError, ResolveFailed, SrvResolver, Upstream
from loadpath.upstream.resolvers.resolver import Stream
from tests.contracts.dns_server import DnsServer, dns_server
from tests.faults.http.servers import Echo, none_open
from tests.faults.upstream.endpoints import Endpoint, assert_nothing_held, served


class Handed:
    """Give the sets that a test hands over."""

    def __init__(self, first: list[str]) -> None:
        self._sets: asyncio.Queue[list[str] | Exception] = asyncio.Queue()
        self.hand(first)

    def hand(self, found: list[str] | Exception) -> None:
        """Give a set next, or a reason, or break."""
        self._sets.put_nowait(found)

    async def watch(self) -> Stream:
        """Give what was handed over."""
        while True:
            found = await self._sets.get()
            if isinstance(found, ResolveError):
                yield found
            elif isinstance(found, Exception):
                raise found
            else:
                yield EndpointSet(found)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("policy", [RoundRobin, LeastResponseTime])
async def test_no_request_is_lost_while_sets_change(policy: Policy) -> None:
    """Endpoints join and leave all the time; every call, repeated or not, is answered."""
    random = Random(7)
    async with served(*(Endpoint() for _ in range(8))) as addresses:
        resolver = Handed(addresses)
        async with Upstream(
            "orders", resolver, balancer=Balancer(policy=policy), retry=None
        ) as upstream:
            calls = 0

            async def worker() -> None:
                nonlocal calls
                while calls < 2_000:
                    calls += 1
                    assert (await upstream.request("POST", "/", body=b"1")).status == 200
                    if calls % 20 == 0:
                        resolver.hand(random.sample(addresses, random.randrange(1, 8)))

            await asyncio.gather(*(worker() for _ in range(10)))
            resolver.hand(addresses[:1])
            await until(lambda: len(upstream.balancer.endpoints) == 1)
            assert upstream.snapshot().generation > 50
            assert_nothing_held(upstream)
            assert upstream.snapshot().pool.origins <= 1


@asynccontextmanager
async def listening(count: int) -> AsyncIterator[list[str]]:
    """Serve on many ports at once, and give their addresses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5 * count
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Echo, "127.0.0.1", 0) for _ in range(count)]
    try:
        yield [f"127.0.0.1:{each.sockets[0].getsockname()[1]}" for each in servers]
    finally:
        for server in servers:
            server.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_thousand_endpoints_come_and_go_under_load() -> None:
    """Two thousand are added and removed in turns; no call is lost, and nothing stays behind."""
    async with listening(2_000) as addresses:
        resolver = Handed(addresses[:10])
        balancer = Balancer(policy=RoundRobin)
        async with Upstream(
            "orders", resolver, balancer=balancer, retry=None, breaker=None
        ) as upstream:
            done = False

            async def worker() -> int:
                calls = 0
                while not done:
                    answer = await upstream.request("POST", "/path", body=b"1")
                    assert answer.body == b"/path"
                    calls += 1
                return calls

            workers = [asyncio.create_task(worker()) for _ in range(8)]
            for first, last in ((0, 700), (500, 1_500), (0, 2_000), (1_990, 2_000), (0, 2_000)):
                resolver.hand(addresses[first:last])
                await until(lambda wanted=last - first: len(balancer.endpoints) == wanted)  # type: ignore[misc] # bound now
                seen = upstream.snapshot().calls
                await until(lambda wanted=seen + 300: upstream.snapshot().calls > wanted)  # type: ignore[misc] # same
            resolver.hand(addresses[:10])
            await until(lambda: len(balancer.endpoints) == 10)
            done = True
            calls = await asyncio.gather(*workers)
            assert sum(calls) > 1_500
            assert len(upstream.snapshot().endpoints) == len(upstream._doors) == 10
            assert_nothing_held(upstream)
            assert upstream.snapshot().pool.origins <= 10
        await none_open()


async def test_dns_that_changes_empties_and_fails() -> None:
    """Calls go where DNS says, and on to where it said last while it says nothing."""
    async with served(*(Endpoint() for _ in range(3))) as addresses, dns_server() as server:
        publish(server, addresses[:2])
        resolver = SrvResolver(NAME, client=server.client(), floor=0.01, ceiling=0.02)
        heard = Heard()
        balancer = Balancer(policy=RoundRobin)
        async with Upstream("orders", resolver, balancer=balancer, events=heard) as upstream:
            assert await reached(upstream) == set(addresses[:2])
            publish(server, addresses[1:])
            await until(lambda: addresses[2] in upstream.balancer.endpoints)
            assert await reached(upstream) == set(addresses[1:])
            for spoil in (empty, fail, hush):
                spoil(server)
                await until(lambda: bool(upstream.snapshot().problem))
                assert await reached(upstream) == set(addresses[1:])
                publish(server, addresses[1:])
                await until(lambda: not upstream.snapshot().problem)
            publish(server, addresses[:1])
            await until(lambda: len(upstream.balancer.endpoints) == 1)
            assert await reached(upstream) == {addresses[0]}
            assert_nothing_held(upstream)
        reasons = [each.reason for each in heard.events if isinstance(each, ResolveFailed)]
        assert len(reasons) >= 3
        assert all(NAME in reason for reason in reasons)


async def test_a_resolver_that_breaks_leaves_the_set() -> None:
    """Whatever a resolver of the user's own raises, calls go on, and the snapshot says why."""
    async with served(Endpoint()) as addresses:
        resolver = Handed(addresses)
        async with Upstream("orders", resolver) as upstream:
            resolver.hand(RuntimeError("out of order"))
            await until(lambda: "out of order" in upstream.snapshot().problem)
            assert (await upstream.request("GET", "/")).status == 200


async def test_a_start_without_endpoints_says_why() -> None:
    """Where the first look fails, entering does, with the reason; nothing is left running."""
    async with dns_server() as server:
        server.failing = True
        resolver = SrvResolver(NAME, client=server.client())
        with pytest.raises(ResolveError, match=NAME):
            await Upstream("orders", resolver).__aenter__()


NAME = "_http._tcp.orders.test"


def publish(server: DnsServer, addresses: list[str]) -> None:
    """Let DNS name these endpoints."""
    server.failing = server.silent = False
    ports = [address.rpartition(":")[2] for address in addresses]
    server.zone = {
        (NAME, "SRV"): [f"0 1 {port} s{port}.test." for port in ports],
        **{(f"s{port}.test", "A"): ["127.0.0.1"] for port in ports},
    }


def empty(server: DnsServer) -> None:
    """Let the name have no endpoints."""
    server.zone = {(NAME, "TXT"): ['"nobody"']}


def fail(server: DnsServer) -> None:
    """Let the server fail."""
    server.failing = True


def hush(server: DnsServer) -> None:
    """Let the server say nothing."""
    server.silent = True


async def reached(upstream: Upstream) -> set[str]:
    """Return who answers calls now."""
    answers = [await upstream.request("GET", "/") for _ in range(20)]
    assert all(each.status == 200 for each in answers)
    return {each.endpoint for each in answers}


class Heard:
    """Keep events."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def emit(self, event: object) -> None:
        """Keep one."""
        self.events.append(event)


async def test_a_set_that_cannot_be_connected_to_is_refused() -> None:
    """A host that no connection can name is a reason; the old set stays, and the next one comes."""
    async with served(Endpoint(), Endpoint()) as addresses:
        resolver = Handed(addresses[:1])
        async with Upstream("orders", resolver) as upstream:
            resolver.hand(["a[b:1"])
            await until(lambda: bool(upstream.snapshot().problem))
            assert (await upstream.request("GET", "/")).endpoint == addresses[0]
            resolver.hand(addresses[1:])
            await until(lambda: not upstream.snapshot().problem)
            assert (await upstream.request("GET", "/")).endpoint == addresses[1]
