"""The cache's promises, each over memory alone or over both layers without a server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Self

import pytest

from loadpath.cache import (
    MISSING,
    EntryOptions,
    FactoryTimeoutError,
    FillContext,
    MemoryStore,
    MultiLayerCache,
    NotOpenError,
    NotStorableError,
)
from loadpath.core.errors import RejectedError
from loadpath.resilience import BreakerPolicy, CircuitBreaker
from loadpath.testing import FakeClock

Shared = Literal["memory", "both"]
both = pytest.mark.parametrize("shared", ["memory", "both"])


def made(
    shared: Shared, clock: FakeClock, *, store: MemoryStore | None = None, **given: Any
) -> MultiLayerCache:
    """Return a cache whose time a test moves."""
    layer = store or (MemoryStore(clock=clock) if shared == "both" else None)
    return MultiLayerCache(layer, clock=clock, random=Random(1), **given)


class Source:
    """Count how often it is asked and hold answers until told."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.value: Any = "v1"
        self.error: Exception | None = None

    async def __call__(self) -> Any:
        """Answer as a database would."""
        self.calls += 1
        value, error = self.value, self.error
        self.asked.set()
        await self.gate.wait()
        if error is not None:
            raise error
        return value


async def settled(done: Callable[[], Any]) -> None:
    """Return once it is done."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


@both
@pytest.mark.parametrize("value", [None, 0, "", False, [], {"a": 1}])
async def test_every_value_is_a_value(shared: Shared, value: Any) -> None:
    """None, 0 and empty ones are cached like any other."""
    async with made(shared, FakeClock()) as cache:
        source = Source()
        source.value = value
        assert await cache.get_or_set("k", source) == value
        assert await cache.get_or_set("k", source) == value
        assert await cache.get("k", MISSING) == value
        assert source.calls == 1


@both
async def test_a_cold_key_calls_the_factory_once(shared: Shared) -> None:
    """For 500 tasks at once."""
    async with made(shared, FakeClock()) as cache:
        source = Source()
        values = await asyncio.gather(*(cache.get_or_set("k", source) for _ in range(500)))
        assert values == ["v1"] * 500
        assert source.calls == 1
        assert cache.snapshot().filling == 0


async def test_two_caches_call_the_factory_once() -> None:
    """They share a layer: one fills, the other waits for it."""
    clock, source = FakeClock(), Source()
    store = MemoryStore(clock=clock)
    async with made("both", clock, store=store) as one, made("both", clock, store=store) as two:
        source.gate.clear()
        tasks = [asyncio.create_task(c.get_or_set("k", source)) for c in (one, two) * 50]
        await source.asked.wait()
        await asyncio.sleep(0.02)
        source.gate.set()
        assert set(await asyncio.gather(*tasks)) == {"v1"}
        assert source.calls == 1


@both
async def test_an_error_reaches_all_who_wait_and_is_not_cached(shared: Shared) -> None:
    """The next caller asks again."""
    async with made(shared, FakeClock()) as cache:
        source = Source()
        source.error = KeyError("no row")
        outcomes = await asyncio.gather(
            *(cache.get_or_set("k", source) for _ in range(10)), return_exceptions=True
        )
        assert {type(one) for one in outcomes} == {KeyError}
        source.error = None
        assert await cache.get_or_set("k", source) == "v1"
        assert source.calls == 2
        assert cache.snapshot().factory_errors == 1


@both
async def test_one_cancelled_waiter_leaves_the_others_theirs(shared: Shared) -> None:
    """Whichever it is, the first one too."""
    async with made(shared, FakeClock()) as cache:
        source = Source()
        source.gate.clear()
        tasks = [asyncio.create_task(cache.get_or_set("k", source)) for _ in range(5)]
        await source.asked.wait()
        tasks[0].cancel()
        tasks[3].cancel()
        await asyncio.sleep(0)
        source.gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [one for one in outcomes if not isinstance(one, asyncio.CancelledError)] == [
            "v1"
        ] * 3
        assert source.calls == 1


@both
async def test_when_all_are_cancelled_the_factory_is_too_and_nothing_is_left(
    shared: Shared,
) -> None:
    """Neither a flight nor a claim: the next caller need not wait for a lease to run out."""
    async with made(shared, FakeClock()) as cache:
        source = Source()
        source.gate.clear()
        tasks = [asyncio.create_task(cache.get_or_set("k", source)) for _ in range(3)]
        await source.asked.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled(lambda: cache.snapshot().filling == 0)
        source.gate.set()
        async with asyncio.timeout(5):
            assert await cache.get_or_set("k", source) == "v1"


@both
@pytest.mark.parametrize("how", ["key", "tag", "pattern", "time", "entity", "set", "commit"])
async def test_a_value_computed_before_an_invalidation_is_never_stored_after_it(
    shared: Shared, how: str
) -> None:
    """Whoever waited gets it; whoever comes later does not, even while it is being computed."""
    async with made(shared, FakeClock()) as cache:
        cache.rules.register_rule("user", ["user:{id}"])
        options = EntryOptions(tags=("users",))
        old = Source()
        old.gate.clear()
        early = asyncio.create_task(cache.get_or_set("user:1", old, options))
        await old.asked.wait()
        match how:
            case "key":
                await cache.delete("user:1")
            case "tag":
                await cache.invalidate_tags("users")
            case "pattern":
                await cache.invalidate_pattern("user:*")
            case "time":
                await cache.invalidate_by_time()
            case "entity":
                await cache.invalidate_entity("user", 1)
            case "set":
                await cache.set("user:1", "v2", options)
            case _:
                async with cache.after_commit() as later:
                    later.invalidate_entity("user", 1)
        new = Source()
        new.value = "v2"
        late = asyncio.create_task(cache.get_or_set("user:1", new, options))
        await asyncio.sleep(0)
        old.gate.set()
        assert await early == "v1"
        assert await late == "v2"
        assert await cache.get("user:1") == "v2"


@both
async def test_tags_known_only_afterwards_protect_too(shared: Shared) -> None:
    """A factory may name them through its context."""
    async with made(shared, FakeClock()) as cache:
        begun, gate = asyncio.Event(), asyncio.Event()

        async def load(context: FillContext) -> str:
            begun.set()
            await gate.wait()
            context.adapt(tags=("late",))
            return "old"

        task = asyncio.create_task(cache.get_or_set("k", load))
        await begun.wait()
        await cache.invalidate_tags("late")
        gate.set()
        assert await task == "old"
        assert await cache.get("k") is None


@both
async def test_after_commit_does_nothing_when_the_transaction_fails(shared: Shared) -> None:
    """What was rolled back did not change."""
    async with made(shared, FakeClock()) as cache:
        await cache.set("a", 1)
        await cache.set("b", 2, EntryOptions(tags=("t",)))
        with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what fails
            async with cache.after_commit() as later:
                later.delete("a")
                later.invalidate_tags("t")
                raise RuntimeError
        assert await cache.get_many(["a", "b"]) == {"a": 1, "b": 2}
        async with cache.after_commit() as later:
            later.delete("a")
            later.invalidate_tags("t")
        assert await cache.get_many(["a", "b"]) == {}


async def test_each_layer_has_its_own_ttl() -> None:
    """Memory forgets after five minutes, the shared layer after an hour."""
    clock = FakeClock()
    async with made("both", clock) as cache:
        await cache.set("k", 1)
        clock.advance(299.0)
        assert cache.probe("k") == 1
        clock.advance(2.0)
        assert cache.probe("k") is None
        assert await cache.get("k") == 1
        assert cache.snapshot().l2.hits == 1  # type: ignore[union-attr] # there is one
        clock.advance(3_298.0)
        assert cache.probe("k") is None
        assert await cache.get("k") == 1
        clock.advance(1.5)
        assert cache.probe("k") is None, "memory keeps nothing longer than the shared layer"
        assert await cache.get("k") is None


async def test_a_wall_clock_that_steps_back_makes_nothing_younger_than_its_ttl() -> None:
    """The ages of entries are of the wall clock, but memory counts by the monotonic one."""
    clock = FakeClock()
    async with made("both", clock) as cache:
        await cache.set("k", 1, EntryOptions(l1_ttl=1.0, l2_ttl=100.0, stale_for=50.0))
        clock.advance(60.0)
        clock.set_time(clock.time() - 86_400)
        assert await cache.get("k") == 1
        clock.advance(150.0)
        assert await cache.get("k") is None


@both
async def test_jitter_spreads_expiry(shared: Shared) -> None:
    """Keys written at once do not expire at once."""
    clock = FakeClock()
    async with made(shared, clock) as cache:
        options = EntryOptions(l1_ttl=100.0, l2_ttl=100.0, jitter=0.5)
        await cache.set_many({str(n): n for n in range(100)}, options)
        clock.advance(49.0)
        assert len(await cache.get_many(map(str, range(100)))) == 100
        clock.advance(26.0)
        assert 20 < len(await cache.get_many(map(str, range(100)))) < 80
        clock.advance(26.0)
        assert not await cache.get_many(map(str, range(100)))


@both
async def test_a_none_may_be_kept_shorter_or_not_at_all(shared: Shared) -> None:
    """What is not there may come soon."""
    clock = FakeClock()
    async with made(shared, clock) as cache:
        await cache.set("k", None, EntryOptions(negative_ttl=5.0))
        assert await cache.get("k", MISSING) is None
        clock.advance(5.0)
        assert await cache.get("k", MISSING) is MISSING
        await cache.set("k", 1)
        await cache.set("k", None, EntryOptions(negative_ttl=0.0))
        assert await cache.get("k", MISSING) is MISSING


@both
async def test_stale_while_revalidate(shared: Shared) -> None:
    """The old value at once, one factory call in the background, then the new value."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, stale_for=20.0)
    async with made(shared, clock) as cache:
        assert await cache.get_or_set("k", source, options) == "v1"
        source.value = "v2"
        source.gate.clear()
        clock.advance(11.0)
        assert [await cache.get_or_set("k", source, options) for _ in range(5)] == ["v1"] * 5
        assert await cache.get("k") is None, "a plain read gets fresh values only"
        source.gate.set()
        await settled(lambda: cache.probe("k") == "v2")
        assert source.calls == 2
        assert cache.snapshot().stale_served == 5
        clock.advance(31.0)
        source.value = "v3"
        assert await cache.get_or_set("k", source, options) == "v3"


async def test_a_stale_value_of_the_shared_layer_is_served_at_once_too() -> None:
    """A process that has just started has nothing in memory."""
    clock, source = FakeClock(), Source()
    store = MemoryStore(clock=clock)
    options = EntryOptions(l2_ttl=10.0, stale_for=20.0)
    async with made("both", clock, store=store) as one, made("both", clock, store=store) as two:
        await one.set("k", "v0", options)
        clock.advance(11.0)
        source.gate.clear()
        async with asyncio.timeout(5):
            assert await two.get_or_set("k", source, options) == "v0"
        source.gate.set()
        await settled(lambda: two.probe("k") == "v1")


@both
async def test_eager_refresh_keeps_a_hot_key_fresh(shared: Shared) -> None:
    """Past the threshold a hit is a hit, and one call fetches the next value."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=100.0, l2_ttl=100.0, eager=0.8)
    async with made(shared, clock) as cache:
        await cache.get_or_set("k", source, options)
        source.value = "v2"
        clock.advance(81.0)
        assert [await cache.get_or_set("k", source, options) for _ in range(5)] == ["v1"] * 5
        await settled(lambda: cache.probe("k") == "v2")
        assert source.calls == 2
        clock.advance(81.0)
        source.error = OSError("down")
        assert await cache.get_or_set("k", source, options) == "v2"
        await settled(lambda: cache.snapshot().factory_errors == 1)
        for _ in range(5):
            assert await cache.get_or_set("k", source, options) == "v2"
        assert source.calls == 3, "a refresh that failed is left alone for a while"


async def test_an_eager_refresh_looks_whether_another_process_was_first() -> None:
    """What is new in the shared layer is taken, and the factory not called."""
    clock, source = FakeClock(), Source()
    store = MemoryStore(clock=clock)
    options = EntryOptions(l1_ttl=100.0, l2_ttl=100.0, eager=0.8)
    async with made("both", clock, store=store) as one, made("both", clock, store=store) as two:
        await one.get_or_set("k", source, options)
        assert await two.get_or_set("k", source, options) == "v1"
        clock.advance(81.0)
        await one.set("k", "v2", options)
        assert await two.get_or_set("k", source, options) == "v1"
        await settled(lambda: two.probe("k") == "v2")
        assert source.calls == 1


@both
async def test_fail_safe_serves_the_old_value_and_leaves_the_factory_alone(shared: Shared) -> None:
    """Until the throttle is over; past the limit the error is told."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, fail_safe_for=100.0, fail_safe_throttle=30.0)
    async with made(shared, clock) as cache:
        await cache.get_or_set("k", source, options)
        source.error = OSError("down")
        clock.advance(11.0)
        for _ in range(3):
            assert await cache.get_or_set("k", source, options) == "v1"
        assert source.calls == 2
        clock.advance(31.0)
        assert await cache.get_or_set("k", source, options) == "v1"
        assert source.calls == 3
        clock.advance(100.0)
        with pytest.raises(OSError, match="down"):
            await cache.get_or_set("k", source, options)


@both
async def test_fail_safe_never_serves_what_was_invalidated(shared: Shared) -> None:
    """By tag, while the factory fails."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, fail_safe_for=100.0, tags=("t",))
    async with made(shared, clock) as cache:
        await cache.get_or_set("k", source, options)
        clock.advance(11.0)
        source.error = OSError("down")
        source.gate.clear()
        source.asked.clear()
        task = asyncio.create_task(cache.get_or_set("k", source, options))
        await source.asked.wait()
        await cache.invalidate_tags("t")
        source.gate.set()
        with pytest.raises(OSError, match="down"):
            await task


@both
async def test_soft_timeout(shared: Shared) -> None:
    """With an old value nobody waits longer; the factory goes on and its value is kept."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, fail_safe_for=100.0, factory_soft_timeout=0.01)
    async with made(shared, clock) as cache:
        await cache.get_or_set("k", source, options)
        clock.advance(11.0)
        source.value = "v2"
        source.gate.clear()
        async with asyncio.timeout(5):
            assert await cache.get_or_set("k", source, options) == "v1"
        source.gate.set()
        await settled(lambda: cache.probe("k") == "v2")


@both
async def test_hard_timeout(shared: Shared) -> None:
    """A factory that hangs is cancelled; callers get an error, or the old value."""
    clock, source = FakeClock(), Source()
    options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, fail_safe_for=100.0, factory_hard_timeout=0.01)
    async with made(shared, clock) as cache:
        source.gate.clear()
        with pytest.raises(FactoryTimeoutError, match=r"longer than 0\.01 s"):
            await cache.get_or_set("k", source, options)
        source.gate.set()
        assert await cache.get_or_set("k", source, options) == "v1"
        source.gate.clear()
        clock.advance(11.0)
        assert await cache.get_or_set("k", source, options) == "v1"


@both
async def test_a_factory_may_adapt_its_entry(shared: Shared) -> None:
    """Its ttl from the answer, not modified, or not to be kept."""
    clock = FakeClock()
    async with made(shared, clock) as cache:
        options = EntryOptions(l1_ttl=10.0, l2_ttl=10.0, fail_safe_for=100.0)

        def short(context: FillContext) -> str:
            context.adapt(l1_ttl=2.0, l2_ttl=2.0)
            return "short"

        assert await cache.get_or_set("k", short, options) == "short"
        clock.advance(3.0)

        def same(context: FillContext) -> Any:
            assert context.stale == "short"
            return context.not_modified()

        assert await cache.get_or_set("k", same, options) == "short"
        clock.advance(3.0)
        assert await cache.get("k") == "short"

        def passing(context: FillContext) -> str:
            assert context.stale is MISSING
            context.do_not_keep()
            return "once"

        assert await cache.get_or_set("p", passing, options) == "once"
        assert await cache.get("p") is None
        with pytest.raises(LookupError, match="no earlier value"):
            await cache.get_or_set("p", lambda context: context.not_modified(), options)


@dataclass
class User:
    """What a decorated function returns."""

    id: int


@both
async def test_a_decorated_function(shared: Shared) -> None:
    """One call per key; from the shared layer the value comes as the function says."""
    clock = FakeClock()
    async with made(shared, clock, l1_entries=0 if shared == "both" else 100) as cache:
        calls = []

        @cache.cached("user:{id_}")
        async def user(id_: int, *, fresh: bool = False) -> User:
            calls.append((id_, fresh))
            return User(id_)

        assert [await user(1), await user(id_=1), await user(1, fresh=True)] == [User(1)] * 3
        assert calls == [(1, False)]
        await cache.delete("user:1")
        assert await user(1, fresh=True) == User(1)
        assert calls[-1] == (1, True)
        assert user.__name__ == "user"


async def test_a_return_type_that_cannot_come_back_is_refused_when_decorating() -> None:
    """Not when the first value is read."""
    async with made("both", FakeClock()) as cache:

        async def wrong() -> "dict[str, User] | list[int] | set[int]":
            return {}

        with pytest.raises(TypeError):
            cache.cached()(wrong)


async def test_a_value_that_cannot_travel_is_told_to_whoever_stores_it() -> None:
    """With a shared layer; memory alone holds anything."""
    async with made("both", FakeClock()) as cache:
        with pytest.raises(NotStorableError):
            await cache.set("k", object())
        with pytest.raises(NotStorableError):
            await cache.get_or_set("k", object)
    async with made("memory", FakeClock()) as cache:
        thing = object()
        await cache.set("k", thing)
        assert await cache.get("k") is thing


@both
async def test_patterns_are_anchored(shared: Shared) -> None:
    """`user:1` does not remove `user:10`."""
    async with made(shared, FakeClock()) as cache:
        await cache.set_many({"user:1": 1, "user:10": 10, "superuser:1": 3})
        assert await cache.invalidate_pattern("user:1") == 1
        assert await cache.get_many(["user:1", "user:10", "superuser:1"]) == {
            "user:10": 10, "superuser:1": 3,
        }  # fmt: skip
        assert await cache.delete("user:10", "none") == 1


@both
async def test_many(shared: Shared) -> None:
    """More than one step holds; what is not there is not in the answer."""
    async with made(shared, FakeClock(), l1_entries=100) as cache:
        values = {f"k{n}": n for n in range(1_200)}
        await cache.set_many(values)
        found = await cache.get_many([*values, "none"])
        if shared == "both":
            assert found == values
        else:
            assert found.items() <= values.items()
        assert await cache.get_many([]) == {}


async def test_closing_ends_what_runs() -> None:
    """Who waits hears so; afterwards nothing starts."""
    cache = made("both", FakeClock())
    source = Source()
    source.gate.clear()
    async with cache:
        tasks = [asyncio.create_task(cache.get_or_set("k", source)) for _ in range(3)]
        await source.asked.wait()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in outcomes} == {NotOpenError}
    with pytest.raises(NotOpenError, match="async with"):
        await cache.get_or_set("other", source)


class Broken(MemoryStore):
    """A shared layer that fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def __getattribute__(self, name: str) -> Any:
        asked = name in ("read", "put", "claim", "fill", "remove", "invalidate_tags", "barriers")
        if asked and object.__getattribute__(self, "broken"):
            return _refuse
        return object.__getattribute__(self, name)


async def _refuse(*_: Any, **__: Any) -> Any:
    raise ConnectionError("down")


async def test_without_its_shared_layer_a_cache_goes_on_and_makes_up_for_it() -> None:
    """Nothing raises; invalidations meanwhile reach the layer before it is trusted again."""
    store = Broken()
    async with (
        MultiLayerCache(store, recovery_delay=0.02) as one,
        MultiLayerCache(store, l1_entries=0) as other,
    ):
        await one.set_many({"a": "old", "b": "old", "c": "kept"}, EntryOptions(tags=("t",)))
        store.broken = True
        await one.set("a", "new")
        await one.delete("b")
        assert await one.get_or_set("d", lambda: 4) == 4
        assert await one.get("d") == 4
        stats = one.snapshot().l2
        assert stats is not None
        assert stats.distrusted
        assert stats.waiting == 2
        store.broken = False
        assert await one.get("b") is None, "not trusted yet"
        await settled(lambda: not one.snapshot().l2.waiting)  # type: ignore[union-attr] # there is
        assert await other.get_many("abc") == {"c": "kept"}


class Breaker:
    """A guard that counts and may refuse."""

    def __init__(self) -> None:
        self.open = False
        self.heard: list[str] = []

    def acquire(self) -> Self:
        """Refuse while open."""
        if self.open:
            raise RejectedError("open")
        self.heard.append("acquire")
        return self

    def succeed(self) -> None:
        """Count."""
        self.heard.append("success")

    def fail(self, error: BaseException) -> None:
        """Count what is a failure to whoever guards: never a mere refusal."""
        assert isinstance(error, ConnectionError)
        assert not isinstance(error, RejectedError)
        self.heard.append("failure")

    def release(self) -> None:
        """Count."""
        self.heard.append("release")


async def test_a_guard_hears_every_step_and_is_obeyed() -> None:
    """Each allowed step ends in exactly one of three ways; a refused one is not tried."""
    guard, store = Breaker(), Broken()
    async with MultiLayerCache(store, l1_entries=0, guard=guard) as cache:
        await cache.set("a", 1)
        assert await cache.get("a") == 1
        store.broken = True
        assert await cache.get("a") is None
        guard.open = True
        store.broken = False
        assert await cache.get("a") is None
        assert await cache.get_or_set("a", lambda: 2) == 2
    assert guard.heard == ["acquire", "success", "acquire", "success", "acquire", "failure"]


async def test_a_circuit_breaker_guards_the_shared_layer() -> None:
    """A layer that is down is left alone after a few failures, and asked again later."""
    clock = FakeClock()
    policy = BreakerPolicy(minimum_calls=3, open_for=10.0, half_open_calls=1)
    breaker, store = CircuitBreaker("l2", policy, clock=clock), Broken()
    async with MultiLayerCache(store, l1_entries=0, guard=breaker) as cache:
        await cache.set("a", 1)
        store.broken = True
        for _ in range(4):
            assert await cache.get("a") is None
        assert breaker.state == "open"
        store.broken = False
        assert await cache.get("a") is None
        clock.advance(10.0)
        assert await cache.get("a") == 1
        assert breaker.state == "closed"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"policy": "fifo"}, "policy"), ({"l1_entries": -1}, "l1_entries"),
        ({"l1_entries": 0}, "layer"), ({"l2_timeout": 0}, "l2_timeout"),
        ({"recovery_limit": 0, "store": MemoryStore()}, "limit"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(given: dict[str, Any], field: str) -> None:
    """When the cache is made."""
    with pytest.raises(ValueError, match=field):
        MultiLayerCache(**given)
    async with made("memory", FakeClock()) as cache:
        with pytest.raises(ValueError, match="age"):
            await cache.invalidate_by_time(-1)
        with pytest.raises(ValueError, match="tag"):
            await cache.invalidate_tags("")


@both
async def test_read_through_loads_by_key(shared: Shared) -> None:
    """Once."""
    async with made(shared, FakeClock()) as cache:
        loaded = []

        async def load(key: str) -> str:
            loaded.append(key)
            return key.upper()

        assert [await cache.read_through("a", load) for _ in range(2)] == ["A", "A"]
        assert loaded == ["a"]


class Table:
    """A database of one row that takes its time and may fail before or after it wrote."""

    def __init__(self) -> None:
        self.row = "old"
        self.fails: str | None = None
        self.delays: list[float] = []

    async def save(self, value: str) -> None:
        """Write the row."""
        await asyncio.sleep(self.delays.pop(0) if self.delays else 0)
        if self.fails == "before":
            raise OSError("refused")
        self.row = value
        await asyncio.sleep(0)
        if self.fails == "after":
            raise OSError("reply lost")

    async def load(self) -> str:
        """Read the row, a moment before answering."""
        row = self.row
        await asyncio.sleep(0.005)
        return row


@both
async def test_write_through_stores_what_was_saved(shared: Shared) -> None:
    """In both layers, after the database has it."""
    async with made(shared, FakeClock()) as cache:
        table = Table()
        await cache.set("k", "old")
        await cache.write_through("k", "new", table.save)
        assert table.row == await cache.get("k") == "new"


@both
@pytest.mark.parametrize("fails", ["before", "after"])
async def test_write_through_that_fails_leaves_no_value(shared: Shared, fails: str) -> None:
    """Whether or not the database has it, the next read asks the database."""
    async with made(shared, FakeClock()) as cache:
        table = Table()
        await cache.set("k", "old")
        table.fails = fails
        with pytest.raises(OSError, match=r"refused|lost"):
            await cache.write_through("k", "new", table.save)
        assert await cache.get("k") is None
        assert await cache.get_or_set("k", table.load) == table.row


@both
@pytest.mark.parametrize("seed", range(10))
async def test_write_through_agrees_with_the_database_whatever_runs_at_once(
    shared: Shared, seed: int
) -> None:
    """Writers in any order, readers in between, some cancelled: cached is the row or nothing."""
    chance, table = Random(seed), Table()
    async with made(shared, FakeClock()) as cache:
        table.delays = [chance.choice([0, 0.001, 0.004]) for _ in range(30)]
        tasks = []
        for number in range(30):
            work = (
                cache.write_through("k", f"v{number}", table.save)
                if chance.random() < 0.5
                else cache.get_or_set("k", table.load)
            )
            tasks.append(asyncio.create_task(work))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.choice([0, 0.001, 0.003]))
            if chance.random() < 0.2:
                chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await cache.get("k", table.row) == table.row
        assert await cache.get_or_set("k", table.load) == table.row
