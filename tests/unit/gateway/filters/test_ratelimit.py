"""Rate limits by key."""

from typing import Literal

import pytest

from loadpath.gateway.exchange import Principal, Reply
from loadpath.gateway.filters.ratelimit import RateLimitFilter
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.resilience import MemoryRates
from loadpath.testing import FakeClock
from tests.unit.gateway.filters.exchanges import asked

Key = Literal["client", "principal", "route", "header"]


def limit(key: Key, *, header: str = "") -> RateLimitFilter:
    """Return a limit of one request a minute."""
    settings = RateLimitSettings(limit=1, period=60, key=key, header=header)
    return RateLimitFilter("orders", settings, MemoryRates(clock=FakeClock()))


async def test_too_early_is_429_with_a_wait() -> None:
    """The refusal says when to come back, and what the rule is."""
    filter_ = limit("client")
    assert await filter_.enter(asked()) is None
    reply = await filter_.enter(asked())
    assert isinstance(reply, Reply)
    assert reply.head.status == 429
    assert (b"Retry-After", b"60") in reply.head.fields
    assert (b"RateLimit-Policy", b'"orders";q=1;w=60') in reply.head.fields


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
async def test_a_client_counts_by_its_address_or_site(one: str, other: str, *, same: bool) -> None:
    """An IPv6 site has one count, however many addresses it has."""
    filter_ = limit("client")
    assert await filter_.enter(asked(client=one)) is None
    assert (await filter_.enter(asked(client=other)) is not None) is same


async def test_a_principal_counts_wherever_it_comes_from() -> None:
    """And nobody can take another's count by a name from another issuer."""
    filter_ = limit("principal")
    for place, by in enumerate(("one", "two")):
        for again in (False, True):
            exchange = asked(client=f"192.0.2.{place}{int(again)}")
            exchange.principal = Principal(name="ann", by=by)
            assert (await filter_.enter(exchange) is not None) is again


async def test_who_is_unknown_counts_by_address() -> None:
    """A principal that is not known yet is its address."""
    filter_ = limit("principal")
    assert await filter_.enter(asked()) is None
    assert await filter_.enter(asked(client="192.0.2.9")) is None
    assert await filter_.enter(asked()) is not None


async def test_a_field_counts_by_its_value_however_long() -> None:
    """Long values are kept by their hash, and differ by their last letter."""
    filter_ = limit("header", header="X-Tenant")
    for tenant in ("a", "b", "c" * 5_000 + "1", "c" * 5_000 + "2", ""):
        assert await filter_.enter(asked(fields={"X-Tenant": tenant})) is None
        assert await filter_.enter(asked(fields={"X-Tenant": tenant})) is not None


async def test_a_route_counts_all_together() -> None:
    """Whoever comes takes a place of the route."""
    filter_ = limit("route")
    assert await filter_.enter(asked()) is None
    assert await filter_.enter(asked(client="192.0.2.9")) is not None
