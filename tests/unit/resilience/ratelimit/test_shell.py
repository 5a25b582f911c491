"""A limit admits, refuses and tells."""

import pytest

from loadpath.core.errors import RejectedError
from loadpath.resilience import MemoryRates, Rate, RateLimit, RateLimited, RateRejected
from loadpath.testing import FakeClock
from tests.unit.resilience.heard import Heard, answer, fail


async def test_each_key_has_its_own_schedule() -> None:
    """One client's burst is no other's."""
    clock, heard = FakeClock(), Heard()
    store = MemoryRates(clock=clock)
    limit = RateLimit(Rate(limit=1), store, name="api", events=heard)
    other = RateLimit(Rate(limit=1), store, name="web")
    await limit.acquire("a")
    await limit.acquire("b")
    await other.acquire("a")
    with pytest.raises(RateLimited, match=r"retry in 1\.000 s") as caught:
        await limit.acquire("a")
    assert isinstance(caught.value, RejectedError)
    assert caught.value.retry_after == 1.0
    assert heard.events == [RateRejected(name="api", key="a", retry_after=1.0)]
    clock.advance(1.0)
    await limit.acquire("a")
    assert (limit.snapshot().admitted, limit.snapshot().rejected) == (3, 1)


async def test_as_a_stage_it_limits_all_calls_together() -> None:
    """What is refused is not tried."""
    limit = RateLimit(Rate(limit=1, period=60.0, burst=2))
    assert await limit.call(answer) == "fine"
    assert await limit(answer)() == "fine"
    with pytest.raises(RateLimited):
        await limit.call(fail, AssertionError("it was tried"))
