"""Endpoints that refuse, hang, lie, break off, fail for a while and come back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from loadpath.balance import (
    Balancer,
    LeastConnections,
    LeastResponseTime,
    OutlierRules,
    Policy,
    RoundRobin,
)
from loadpath.core.backoff import Backoff
from loadpath.core.errors import InDoubtError, RejectedError
from loadpath.http import Timeouts
from loadpath.resilience import BreakerPolicy, RetryPolicy
from loadpath.upstream import (
    Upstream,
    UpstreamError,
    UpstreamFailedError,
    UpstreamFailedTimeoutError,
    UpstreamInDoubtError,
    UpstreamInDoubtTimeoutError,
    UpstreamUnavailableError,
)
from tests.faults.upstream.endpoints import (
    BUSY,
    GARBAGE,
    HALF,
    OK,
    Endpoint,
    assert_nothing_held,
    refusing,
    served,
)

SOON = RetryPolicy(backoff=Backoff(base=0.001, cap=0.01))
QUICK = Timeouts(connect=5.0, read=0.1)
ILL = {
    "closes": Endpoint(b"", then="close"),
    "hangs": Endpoint(b"", then="hang"),
    "garbage": Endpoint(GARBAGE, then="close"),
    "half a head": Endpoint(OK[:9], then="close"),
    "503": Endpoint(BUSY),
}


@pytest.mark.parametrize("ill", ILL)
async def test_what_may_happen_twice_goes_to_the_next_endpoint(ill: str) -> None:
    """A GET that one endpoint fails is answered by another; the ill one is known by its reason."""
    async with (
        served(ILL[ill], Endpoint()) as addresses,
        Upstream("orders", addresses, retry=SOON) as upstream,
    ):
        answers = [await upstream.request("GET", "/", timeouts=QUICK) for _ in range(12)]
        assert {each.status for each in answers} == {200}
        assert {each.endpoint for each in answers} == {addresses[1]}
        assert max(each.attempts for each in answers) == 2
        first, second = upstream.snapshot().endpoints
        assert first.failures > 0
        assert first.reason
        assert second.failures == 0
        assert_nothing_held(upstream)


@pytest.mark.parametrize("ill", ["closes", "hangs", "garbage", "half a head"])
async def test_what_may_not_happen_twice_is_in_doubt(ill: str) -> None:
    """A POST that was sent and not answered is never sent again, and says so."""
    endpoint = ILL[ill]
    before = endpoint.asked
    async with (
        served(endpoint) as addresses,
        Upstream("orders", [*addresses], retry=SOON) as upstream,
    ):
        with pytest.raises(UpstreamInDoubtError) as caught:
            await upstream.request("POST", "/", body=b"1", timeouts=QUICK)
        error = caught.value
        assert isinstance(error, InDoubtError)
        assert isinstance(error, ConnectionError)
        assert isinstance(error, TimeoutError) == (ill == "hangs")
        assert (error.upstream, error.endpoint, error.attempts) == ("orders", addresses[0], 1)
        assert endpoint.asked - before == 1
        assert_nothing_held(upstream)


async def test_a_post_is_repeated_where_its_owner_says_so() -> None:
    """`idempotent=True` (a key in the body, say) lets a POST go to the next endpoint."""
    async with (
        served(Endpoint(b"", then="close"), Endpoint()) as addresses,
        Upstream("orders", addresses, retry=SOON) as upstream,
    ):
        for _ in range(6):
            answer = await upstream.request("POST", "/", body=b"1", idempotent=True)
            assert answer.status == 200


async def test_a_refused_connection_is_nobodys_doubt() -> None:
    """Nothing was sent, so a POST too goes to the next endpoint; with none left it is rejected."""
    with refusing() as nobody, refusing() as nobody_either:
        async with (
            served(Endpoint()) as addresses,
            Upstream("orders", [nobody, *addresses], retry=SOON) as upstream,
        ):
            for _ in range(6):
                assert (await upstream.request("POST", "/", body=b"1")).status == 200
            assert_nothing_held(upstream)
        async with Upstream("orders", [nobody, nobody_either], retry=SOON) as upstream:
            with pytest.raises(UpstreamUnavailableError) as caught:
                await upstream.request("POST", "/", body=b"1")
            assert isinstance(caught.value, RejectedError)
            assert isinstance(caught.value, ConnectionError)
            assert caught.value.attempts == 3
            assert caught.value.endpoint in {nobody, nobody_either}


async def test_in_doubt_and_then_refused_is_in_doubt() -> None:
    """A repetition that was refused does not make undone what the first attempt may have done."""
    with refusing() as nobody:
        async with served(Endpoint(b"", then="close")) as addresses:
            balancer = Balancer(policy=InOrder)
            async with Upstream(
                "orders", [*addresses, nobody], balancer=balancer, retry=SOON
            ) as upstream:
                with pytest.raises(UpstreamInDoubtError):
                    await upstream.request("GET", "/")


async def test_a_known_answer_is_better_than_an_error() -> None:
    """When every other attempt was refused, the caller gets the 503 that there was."""
    with refusing() as nobody:
        async with (
            served(Endpoint(BUSY)) as addresses,
            Upstream("orders", [*addresses, nobody], retry=SOON) as upstream,
        ):
            answer = await upstream.request("GET", "/")
            assert (answer.status, answer.body) == (503, b"busy")
            assert answer.attempts == 3
            assert_nothing_held(upstream)


async def test_a_body_that_breaks_off_is_a_failure_and_never_repeated() -> None:
    """With a head the outcome is known; the loss of the body is told, also as a timeout."""
    closing, hanging = Endpoint(HALF, then="close"), Endpoint(HALF, then="hang")
    for endpoint, kind in ((closing, UpstreamFailedError), (hanging, UpstreamFailedTimeoutError)):
        async with (
            served(endpoint) as addresses,
            Upstream("orders", addresses, retry=SOON) as upstream,
        ):
            with pytest.raises(kind) as caught:
                await upstream.request("GET", "/", timeouts=QUICK)
            assert not isinstance(caught.value, RejectedError | InDoubtError)
            assert (caught.value.endpoint, caught.value.attempts) == (addresses[0], 1)
            assert endpoint.asked == 1
            assert upstream.snapshot().endpoints[0].failures == 1
            assert_nothing_held(upstream)


async def test_a_slow_drip_ends_at_the_deadline() -> None:
    """Bytes that keep coming do not keep a call beyond its deadline, in the head or in the body."""
    for answer in (OK, HALF):
        dripping = Endpoint(answer)
        dripping.per_byte = 0.02
        async with served(dripping) as addresses, Upstream("orders", addresses) as upstream:
            with pytest.raises(UpstreamError) as caught:
                await upstream.request("GET", "/", timeout=0.3)
            assert isinstance(caught.value, TimeoutError)
            assert_nothing_held(upstream)


async def test_a_deadline_bounds_all_attempts_together() -> None:
    """Hanging endpoints use the deadline up, and the error names the last one."""
    hanging = [Endpoint(b"", then="hang") for _ in range(3)]
    async with served(*hanging) as addresses, Upstream("orders", addresses) as upstream:
        with pytest.raises(UpstreamInDoubtTimeoutError) as caught:
            await upstream.request("GET", "/", timeout=0.2, timeouts=Timeouts(read=0.08))
        assert caught.value.endpoint in addresses
        assert sum(each.asked for each in hanging) == caught.value.attempts
        assert_nothing_held(upstream)


async def test_busy_for_a_while_and_back() -> None:
    """An endpoint that answers 503 leaves the rotation, and serves again when it is well."""
    sick, well = Endpoint(BUSY), Endpoint()
    rules = OutlierRules(base_ejection=0.2, interval=0.1)
    async with (
        served(sick, well) as addresses,
        Upstream(
            "orders",
            addresses,
            balancer=Balancer(policy=RoundRobin, outliers=rules),
            breaker=BreakerPolicy(open_for=0.2, half_open_calls=1),
            retry=SOON,
        ) as upstream,
    ):
        for _ in range(60):
            assert (await upstream.request("GET", "/")).status == 200
        assert upstream.snapshot().endpoints[0].state != "up"
        asked = sick.asked
        assert asked < 30
        sick.answer = OK
        until = time.monotonic() + 20
        while sick.asked < asked + 20:
            assert time.monotonic() < until
            assert (await upstream.request("GET", "/")).status == 200
            await asyncio.sleep(0.002)
        assert upstream.snapshot().endpoints[0].state == "up"
        assert_nothing_held(upstream)


@pytest.mark.parametrize("policy", [LeastResponseTime, LeastConnections])
@pytest.mark.parametrize("answer", [b"", OK.replace(b"200 OK", b"500 No")], ids=["closes", "500"])
async def test_one_of_ten_that_fails_fast_draws_no_traffic(policy: Policy, answer: bytes) -> None:
    """Without any repetition, at most 2 % of the calls after the first tenth fail."""
    black_hole = Endpoint(answer, then="again" if answer else "close")
    calls, errors = 3_000, 0
    async with served(black_hole, *(Endpoint() for _ in range(9))) as addresses:
        balancer = Balancer(policy=policy)
        async with Upstream("orders", addresses, balancer=balancer, retry=None) as upstream:
            numbers = iter(range(calls))

            async def worker() -> None:
                nonlocal errors
                for number in numbers:
                    try:
                        bad = (await upstream.request("POST", "/", body=b"1")).status != 200
                    except UpstreamError:
                        bad = True
                    errors += bad and number >= calls // 10

            await asyncio.gather(*(worker() for _ in range(20)))
            assert errors <= 0.02 * calls
            assert_nothing_held(upstream)


async def test_breakers_that_are_all_open_reject_at_once() -> None:
    """When no breaker lets anything through, nothing is sent, and the error says when to return."""
    with ExitStack() as stack:
        nobody = [stack.enter_context(refusing()) for _ in range(3)]
        breaker = BreakerPolicy(minimum_calls=1, open_for=60.0)
        async with Upstream("orders", nobody, breaker=breaker, retry=SOON) as upstream:
            with pytest.raises(UpstreamUnavailableError):
                await upstream.request("GET", "/")
            before = upstream.snapshot()
            assert {each.state for each in before.endpoints} == {"open"}
            with pytest.raises(UpstreamUnavailableError) as caught:
                await upstream.request("GET", "/")
            assert caught.value.attempts == 0
            assert caught.value.endpoint is None
            assert caught.value.retry_after is not None
            assert caught.value.retry_after > 0
            assert upstream.snapshot().attempts == before.attempts
            assert_nothing_held(upstream)


class InOrder:
    """Pick the first member that is not to be avoided."""

    def __init__(self, random: object) -> None:
        del random
        self.members: list[object] = []

    def update(self, members: object) -> None:
        """Take them over."""
        self.members = list(members)  # type: ignore[call-overload] # as Picker has it

    def pick(self, now: float, key: object, avoid: object) -> object:
        """Return the first one."""
        del now, key
        left = [each for each in self.members if each not in avoid]  # type: ignore[operator] # same
        return (left or self.members)[0]


async def test_a_body_in_pieces_is_read_once() -> None:
    """Refused before it was begun it goes on to the next endpoint; once begun it is in doubt."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"

    async def breaking() -> AsyncIterator[bytes]:
        yield b"one"
        raise RejectedError("a call of the body's own was refused")

    with refusing() as nobody:
        async with (
            served(Endpoint()) as addresses,
            Upstream("orders", [nobody, *addresses], retry=SOON) as upstream,
        ):
            for _ in range(6):
                async with upstream.stream("PUT", "/", body=pieces()) as response:
                    assert response.status == 200
    ill = Endpoint(b"", then="close")
    async with (
        served(ill, Endpoint(b"", then="hang")) as addresses,
        Upstream("orders", addresses[:1], retry=SOON) as upstream,
    ):
        with pytest.raises(UpstreamInDoubtError) as caught:
            await upstream.stream("PUT", "/", body=pieces()).__aenter__()
        assert caught.value.attempts == ill.asked == 1
        upstream.balancer.swap(addresses[1:])
        with pytest.raises(UpstreamInDoubtError) as caught:
            await upstream.stream("PUT", "/", body=breaking()).__aenter__()
        assert caught.value.attempts == 1
        assert upstream.snapshot().endpoints[0].failures == 0
        assert_nothing_held(upstream)
