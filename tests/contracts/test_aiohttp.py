"""aiohttp over an upstream: its own client, our choice of endpoint, its errors with ours behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from loadpath.balance import Balancer, RoundRobin
from loadpath.core.backoff import Backoff
from loadpath.resilience import Deadline, RetryPolicy
from loadpath.upstream import (
    AiohttpMiddleware,
    Upstream,
    UpstreamInDoubtError,
    UpstreamUnavailableError,
)
from tests.contracts.mirror_server import Seen, mirroring
from tests.faults.upstream.endpoints import (
    BUSY,
    GARBAGE,
    Endpoint,
    address_of,
    assert_nothing_held,
    refusing,
    served,
)

SOON = RetryPolicy(backoff=Backoff(base=0.001, cap=0.01))


@asynccontextmanager
async def session(
    *addresses: str, **given: object
) -> AsyncIterator[tuple[aiohttp.ClientSession, Upstream]]:
    """Open a session over an upstream of these endpoints."""
    balancer = Balancer(policy=RoundRobin)
    async with Upstream("orders", addresses, balancer=balancer, retry=SOON) as upstream:
        middlewares = [AiohttpMiddleware(upstream)]
        async with aiohttp.ClientSession(middlewares=middlewares, **given) as client:  # type: ignore[arg-type] # as given
            yield client, upstream
        assert_nothing_held(upstream)


async def test_requests_are_spread_and_arrive() -> None:
    """Each goes to the endpoint that is picked, under the host that was asked for."""
    async with (
        mirroring() as one,
        mirroring() as two,
        session(address_of(one), address_of(two)) as (client, upstream),
    ):
        for _ in range(10):
            async with client.post("http://orders/a?b=c", data=b"body") as response:
                seen = msgspec.json.decode(await response.read(), type=Seen)
                assert (seen.method, seen.path, seen.body) == ("POST", "/a?b=c", "body")
                assert seen.fields["host"] == "orders"
        assert [each.calls for each in upstream.snapshot().endpoints] == [5, 5]


@pytest.mark.parametrize(
    "ill",
    [Endpoint(b"", then="close"), Endpoint(GARBAGE, then="close"), Endpoint(BUSY)],
    ids=["closes", "garbage", "503"],
)
async def test_what_may_happen_twice_goes_to_the_next_endpoint(ill: Endpoint) -> None:
    """A GET is answered by the other one; a POST is not sent twice."""
    async with served(ill, Endpoint()) as addresses:
        async with session(*addresses) as (client, _):
            for _ in range(6):
                async with client.get("http://orders/") as response:
                    assert await response.read() == b"ok"
        asked = ill.asked
        async with session(addresses[0]) as (client, upstream):
            if ill.answer == BUSY:
                async with client.post("http://orders/", data=b"1") as response:
                    assert response.status == 503
            else:
                with pytest.raises(aiohttp.ClientConnectionError) as caught:
                    await client.post("http://orders/", data=b"1")
                assert isinstance(caught.value.__cause__, UpstreamInDoubtError)
            assert ill.asked == asked + 1
            assert upstream.snapshot().endpoints[0].failures == 1


async def test_a_refused_connection() -> None:
    """It goes on to the next endpoint, a POST too; with none left aiohttp's error says so."""
    with refusing() as nobody:
        async with served(Endpoint()) as addresses, session(nobody, *addresses) as (client, _):
            for _ in range(4):
                async with client.post("http://orders/", data=b"1") as response:
                    assert response.status == 200
        async with session(nobody) as (client, _):
            with pytest.raises(aiohttp.ClientConnectionError) as caught:
                await client.get("http://orders/")
            assert isinstance(caught.value.__cause__, UpstreamUnavailableError)


async def test_a_hanging_endpoint_is_left_in_time() -> None:
    """By aiohttp's own read timeout, and by a deadline around the call."""
    async with served(Endpoint(b"", then="hang")) as addresses:
        timeout = aiohttp.ClientTimeout(sock_read=0.05)
        async with session(*addresses, timeout=timeout) as (client, upstream):
            with pytest.raises(aiohttp.ServerTimeoutError):
                await client.post("http://orders/", data=b"1")
            assert upstream.snapshot().endpoints[0].failures == 1
        async with session(*addresses) as (client, _):
            soon = asyncio.get_running_loop().time() + 0.05
            with Deadline(soon).applied(), pytest.raises(aiohttp.ServerTimeoutError):
                await client.post("http://orders/", data=b"1")


async def test_a_cancelled_caller_holds_nothing() -> None:
    """At whatever await."""
    async with (
        served(Endpoint(b"", then="hang")) as addresses,
        session(*addresses) as (client, _),
    ):
        for turns in range(0, 40, 3):
            task = asyncio.ensure_future(client.get("http://orders/"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
