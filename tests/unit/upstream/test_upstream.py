"""What is given is checked, what is asked is sent, what is started is stopped."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import msgspec
import pytest

from loadpath.balance import ActiveChecker, Balancer, EndpointSet, TcpProbe
from loadpath.http import BodyTooLargeError, ConnectionPool, Origin, Request
from loadpath.resilience import Bulkhead, Deadline, Timeout
from loadpath.upstream import (
    ResolveError,
    Resolver,
    StaticResolver,
    Upstream,
    UpstreamUnavailableError,
    UpstreamUnavailableTimeoutError,
)
from loadpath.upstream.resolvers.resolver import Stream
from tests.contracts.mirror_server import Seen, mirroring
from tests.unit.upstream.asked import Heard


def address(origin: Origin) -> str:
    """Return an origin as an endpoint."""
    return f"{origin.host}:{origin.port}"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """Run a server that tells what it was asked."""
    async with mirroring() as here:
        yield here


def seen(body: bytes) -> Seen:
    """Return what the server saw."""
    return msgspec.json.decode(body, type=Seen)


WRONG: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "name"),
    ({"resolver": ["no port"]}, "host:port"),
    ({"resolver": ["a:1", "a:1"]}, "there twice"),
    ({"server_name": "orders.internal"}, "tls"),
]


@pytest.mark.parametrize(("given", "named"), WRONG)
def test_wrong_arguments_are_named(given: dict[str, object], named: str) -> None:
    """The error says which argument, when it is given."""
    with pytest.raises(ValueError, match=named):
        Upstream(**{"name": "orders", "resolver": ["a:1"], **given})  # type: ignore[arg-type] # on purpose


def test_one_address_is_no_list() -> None:
    """A string would be taken apart letter by letter."""
    with pytest.raises(TypeError, match=r"\['a:1'\]"):
        Upstream("orders", "a:1")


async def test_a_request_is_sent_as_it_was_given(origin: Origin) -> None:
    """Method, target, fields and body arrive; `Host` is the endpoint, or what was said."""
    async with Upstream("orders", [address(origin)]) as orders:
        answer = await orders.request("PUT", "/a?b=c", fields={"X-One": "é"}, body=b"body")
        asked = seen(answer.body)
        assert (asked.method, asked.path, asked.body) == ("PUT", "/a?b=c", "body")
        assert asked.fields["host"] == address(origin)
        assert answer.get("content-type") == "application/json"
        assert answer.get("x-nothing") is None
        assert answer.endpoint == address(origin)
    async with Upstream("orders", [address(origin)], host="orders.internal") as orders:
        asked = seen((await orders.request("GET", "/")).body)
        assert asked.fields["host"] == "orders.internal"
        fields = [(b"host", b"said")]
        assert seen((await orders.request("GET", "/", fields=fields)).body).fields["host"] == "said"


@pytest.mark.parametrize(
    "given",
    [
        {"method": "GE T"},
        {"method": "GÉT"},
        {"target": "no slash"},
        {"target": "/é"},
        {"fields": {"a b": "c"}},
        {"fields": {"a": "b\r\nc: d"}},
        {"timeout": 0.0},
        {"timeout": -1.0},
    ],
    ids=str,
)
async def test_what_cannot_be_sent_is_refused(origin: Origin, given: dict[str, object]) -> None:
    """A request that is none is the caller's error, and holds nothing."""
    async with Upstream("orders", [address(origin)], bulkhead=Bulkhead(1)) as orders:
        with pytest.raises(ValueError, match=r"."):
            await orders.request(**{"method": "GET", "target": "/", **given})  # type: ignore[arg-type] # on purpose
        assert (await orders.request("GET", "/")).status == 200
        assert orders.snapshot().endpoints[0].failures == 0


async def test_streams_go_both_ways(origin: Origin) -> None:
    """A body in pieces goes up, the answer comes down in pieces, with its fields."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with (
        Upstream("orders", [address(origin)]) as orders,
        orders.stream("PUT", "/chunks", body=pieces()) as response,
    ):
        assert response.status == 200
        assert response.get("Transfer-Encoding") == "chunked"
        came = [piece async for piece in response]
        assert seen(b"".join(came)).body == "onetwo"
        assert response.done
        assert response.trailer == ()
        assert response.endpoint == address(origin)


async def test_an_answer_that_is_too_large_is_refused(origin: Origin) -> None:
    """`most` bounds what is held; the call is settled, the next one works."""
    async with Upstream("orders", [address(origin)], bulkhead=Bulkhead(1)) as orders:
        with pytest.raises(BodyTooLargeError):
            await orders.request("GET", "/", most=3)
        assert (await orders.request("GET", "/")).status == 200


async def test_a_deadline_travels(origin: Origin) -> None:
    """What is left of `timeout`, or of a deadline around the call, goes along as a field."""
    async with Upstream("orders", [address(origin)]) as orders:
        assert "request-timeout" not in seen((await orders.request("GET", "/")).body).fields
        asked = seen((await orders.request("GET", "/", timeout=50.0)).body)
        assert 0 < float(asked.fields["request-timeout"]) <= 50
        async with Timeout(20.0).scope():
            asked = seen((await orders.request("GET", "/", timeout=50.0)).body)
        assert 0 < float(asked.fields["request-timeout"]) <= 20


async def test_a_deadline_that_has_passed_sends_nothing(origin: Origin) -> None:
    """It is a rejection and a timeout."""
    async with Upstream("orders", [address(origin)]) as orders:
        with Deadline(0.0).applied(), pytest.raises(UpstreamUnavailableTimeoutError):
            await orders.request("GET", "/")
        assert orders.snapshot().attempts == 0


async def test_a_full_bulkhead_rejects(origin: Origin) -> None:
    """Nothing was sent; the place of a stream is held until it is left."""
    async with Upstream("orders", [address(origin)], bulkhead=Bulkhead(1)) as orders:
        held = await orders.send(Request(b"GET", b"/large"))
        held.close()
        async with orders.stream("GET", "/chunks") as response:
            running = orders.snapshot().bulkhead
            assert running is not None
            if not response.done:
                with pytest.raises(UpstreamUnavailableError):
                    await orders.request("GET", "/")
        assert (await orders.request("GET", "/")).status == 200


async def test_what_is_started_is_stopped(origin: Origin) -> None:
    """Resolver, checker and its own pool end with the block; a pool handed in does not."""
    before = asyncio.all_tasks()
    balancer = Balancer()
    checker = ActiveChecker(balancer, TcpProbe(), interval=0.01)
    async with ConnectionPool() as pool:
        async with Upstream(
            "orders", [address(origin)], balancer=balancer, checker=checker, pool=pool
        ) as orders:
            assert (await orders.request("GET", "/")).status == 200
            assert asyncio.all_tasks() - before
        assert pool.snapshot().connections == 1
    async with Upstream("orders", [address(origin)]) as orders:
        await orders.request("GET", "/")
    assert orders.snapshot().pool.connections == 0
    left = asyncio.all_tasks() - before
    assert not [task for task in left if "one" not in repr(task)]
    with pytest.raises(UpstreamUnavailableError):
        await orders.request("GET", "/")


async def test_it_runs_once(origin: Origin) -> None:
    """Entering it again is an error, and leaves the first run as it is."""
    async with Upstream("orders", [address(origin)]) as orders:
        with pytest.raises(RuntimeError, match="runs already"):
            await orders.__aenter__()
        assert (await orders.request("GET", "/")).status == 200


class Once:
    """Give what a test says, then end."""

    def __init__(self, *found: EndpointSet | ResolveError) -> None:
        self.found = found

    async def watch(self) -> Stream:
        """Give it."""
        for each in self.found:
            yield each


async def test_a_resolver_of_ones_own(origin: Origin) -> None:
    """Anything with `watch` is one; its first problem is an error of entering."""
    assert isinstance(Once(), Resolver)
    assert isinstance(StaticResolver([]), Resolver)
    heard = Heard()
    sets = Once(EndpointSet([address(origin)]), ResolveError("gone"), EndpointSet(["a:1"]))
    async with Upstream("orders", sets, events=heard) as orders:
        await asyncio.sleep(0)
        assert [each.address for each in orders.balancer.endpoints] == ["a:1"]
        assert orders.snapshot().problem == ""
    kinds = [type(each).__name__ for each in heard.events]
    assert kinds == ["EndpointsChanged", "ResolveFailed", "EndpointsChanged"]
    for wrong in (Once(ResolveError("gone")), Once()):
        with pytest.raises(ResolveError):
            await Upstream("orders", wrong).__aenter__()


async def test_a_snapshot_is_json(origin: Origin) -> None:
    """Plain numbers and reasons, one for each endpoint."""
    async with Upstream(
        "orders", [address(origin), "127.0.0.1:1"], bulkhead=Bulkhead(5), tls=None
    ) as orders:
        for _ in range(3):
            await orders.request("GET", "/busy", idempotent=False)
        orders.balancer.set_server_health("127.0.0.1:1", False)
        shown = msgspec.json.decode(msgspec.json.encode(orders.snapshot()))
        assert shown["calls"] == 3
        assert shown["attempts"] >= 3
        assert shown["bulkhead"]["running"] == 0
        first, second = shown["endpoints"]
        assert first["reason"] == "answered 503"
        assert first["in_flight"] == 0
        assert first["latency"] > 0
        assert second["state"] == "drained"


def test_tls_is_known_to_the_origins() -> None:
    """Endpoints of an upstream with TLS are asked over it, under the name that was given."""
    context = ssl.create_default_context()
    orders = Upstream("orders", [], tls=context, server_name="orders.internal")
    orders._doors.follow(EndpointSet(["10.0.0.1:443"]))
    assert orders._doors["10.0.0.1:443"].origin == Origin("10.0.0.1", 443, True, "orders.internal")
