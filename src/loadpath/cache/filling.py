"""One factory call per key: here, and with a claim in the shared layer in every process.

A flight fetches a key in a task of its own; whoever asks meanwhile waits for its answer. A caller
that is cancelled leaves the others theirs; when the last one leaves, the flight ends. A flight may
answer early with a value past its ttl and go on in the background.

Source: FusionCache (fail-safe, soft and hard timeouts, eager refresh that reads L2 first);
R. Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013 (leases).
"""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import inf
from secrets import token_hex
from typing import Any, Final, NamedTuple

from loadpath.cache.context import FillContext
from loadpath.cache.errors import FactoryTimeoutError, NotOpenError
from loadpath.cache.layers import Found, Layers
from loadpath.cache.missing import MISSING
from loadpath.cache.options import EntryOptions
from loadpath.cache.remote import L2DownError, Remote
from loadpath.cache.watches import Watch
from loadpath.core.backoff import Backoff
from loadpath.core.histogram import Histogram

Factory = Callable[..., Any]
"""Computes a value, async or not; with a parameter it gets a `FillContext`."""

LOOK_AGAIN: Final = Backoff(base=0.005, cap=0.1, factor=1.5, jitter="equal")
"""Delays between looks whether another process has filled the key."""


class Stale(NamedTuple):
    """Hold a value past its ttl.

    Attributes:
        value: The value.
        age: For how long it is past its ttl (s), at `seen`.
        seen: When that was so (monotonic s).
        size: Bytes that it counts for.
        tags: What invalidates it.
    """

    value: Any
    age: float
    seen: float
    size: int
    tags: tuple[str, ...] = ()


class Flight:
    """Stand for the one who fetches a key.

    Attributes:
        key: The key.
        factory: Computes the value.
        options: How it is kept.
        type_: What it must be when it comes from the shared layer.
        born: `Barriers.sequence` when it began.
        watch: Tells whether the key was invalidated since.
        answer: Gets the value or the error.
        stale: A value past its ttl that may be served instead.
        waiters: Callers that wait.
        background: Whether it goes on without waiters.
        ahead: Whether the value is still fresh and fetched ahead of time.
    """

    __slots__ = (
        "ahead", "answer", "background", "born", "factory", "key", "options", "stale", "task",
        "type_", "waiters", "watch",
    )  # fmt: skip
    task: "asyncio.Task[None]"

    def __init__(
        self,
        key: str,
        factory: Factory,
        options: EntryOptions,
        type_: Any,
        *,
        born: int,
        watch: Watch,
        stale: Stale | None,
        ahead: bool,
    ) -> None:
        self.key = key
        self.factory = factory
        self.options = options
        self.type_ = type_
        self.born = born
        self.watch = watch
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.stale = stale
        self.waiters = 0
        self.background = False
        self.ahead = ahead


class Filler:
    """Fetch what is missing.

    Args:
        layers: Where values are read and kept.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open = False
        self.latency = Histogram()
        self.calls = 0
        self.errors = 0
        self.stale_served = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._flights)

    def open(self) -> None:
        """Begin."""
        self._open = True

    async def close(self) -> None:
        """End every flight; those who wait get `NotOpenError`."""
        self._open = False
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks))

    async def load(
        self, key: str, factory: Factory, options: EntryOptions, type_: Any, stale: Stale | None
    ) -> Any:
        """Return the value of a key that is not fresh in memory.

        Raises:
            NotOpenError: The cache is not open.
            FactoryTimeoutError: The factory took longer than its hard timeout.
            Exception: What the factory raised.
        """
        flight = self._join(key, factory, options, type_, stale, ahead=False)
        answer = flight.answer
        flight.waiters += 1
        try:
            await asyncio.wait([answer])
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.background and not answer.done():
                self._forget(flight)
                flight.task.cancel()
        return answer.result()

    def refresh(
        self,
        key: str,
        factory: Factory,
        options: EntryOptions,
        type_: Any,
        stale: Stale | None,
        *,
        ahead: bool,
    ) -> None:
        """Fetch a key in the background, unless somebody does already."""
        self._join(key, factory, options, type_, stale, ahead=ahead).background = True

    async def write(
        self, key: str, value: Any, save: Callable[[Any], Any], options: EntryOptions
    ) -> bool:
        """Save a value and keep it unless its key is changed meanwhile; return whether it is kept.

        Who reads the key meanwhile waits for the claim, or what they read is refused.

        Raises:
            NotOpenError: The cache is not open.
            Exception: What `save` raised.
        """
        if not self._open:
            raise NotOpenError("the cache is not open: use `async with`")
        layers, token = self._layers, token_hex(8)
        flight = Flight(
            key, save, options, Any,
            born=layers.barriers.sequence, watch=layers.watches.join(key), stale=None, ahead=False,
        )  # fmt: skip
        kept = False
        remote = layers.remote
        try:
            claimed = remote is None or await self._claimed(remote, flight, token)
            await save(value)
            if claimed and not flight.watch.dirty:
                layers.forget(key)  # who reads now may hold the value before this one
                layers.watches.part(key, flight.watch)
                flight.watch = layers.watches.join(key)
                filled = await self._kept(flight, FillContext(key, options), value, remote, token)
                kept = filled or remote is None
        finally:
            layers.watches.part(key, flight.watch)
        return kept

    async def _claimed(self, remote: Remote, flight: Flight, token: str) -> bool:
        try:
            state = await remote.ask(partial(self._claim, remote, flight, token, b""))
        except L2DownError:
            return False
        return bool(state == "granted")

    def spawn(self, work: Any) -> None:
        """Run something that ends with the cache at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _join(
        self,
        key: str,
        factory: Factory,
        options: EntryOptions,
        type_: Any,
        stale: Stale | None,
        *,
        ahead: bool,
    ) -> Flight:
        """Return the flight of a key, a new one if what the old one fetches is outdated."""
        flight = self._flights.get(key)
        barriers = self._layers.barriers
        if flight is not None and not flight.watch.dirty:
            if barriers.valid(flight.options.tags, flight.born):
                return flight
            self._layers.watches.invalidate(key)
        if not self._open:
            raise NotOpenError("the cache is not open: use `async with`")
        watch = self._layers.watches.join(key)
        flight = Flight(
            key, factory, options, type_,
            born=barriers.sequence, watch=watch, stale=stale, ahead=ahead,
        )  # fmt: skip
        self._flights[key] = flight
        flight.answer.add_done_callback(_heard)
        flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
        self._tasks.add(flight.task)
        flight.task.add_done_callback(partial(self._landed, flight))
        return flight

    async def _fly(self, flight: Flight) -> None:
        try:
            value = await self._fetched(flight)
        except Exception as error:  # noqa: BLE001 - it is the waiters' to see
            self._failed(flight, error)
        else:
            if not flight.answer.done():
                flight.answer.set_result(value)

    async def _fetched(self, flight: Flight) -> Any:
        remote, token = self._layers.remote, token_hex(8)
        if remote is None:
            return await self._computed(flight, None, token)
        try:
            found = await self._found_or_claimed(flight, remote, token)
        except L2DownError:
            return await self._computed(flight, None, token)
        except asyncio.CancelledError:
            self._release(remote, flight.key, token)
            raise
        if found is not MISSING:
            return found
        return await self._computed(flight, remote, token)

    async def _found_or_claimed(self, flight: Flight, remote: Remote, token: str) -> Any:
        """Return a value that another process stored, `MISSING` once we are to compute it."""
        attempt = 0
        while True:
            attempt += 1
            found = await self._layers.read(remote, flight.key, flight.type_)
            if self._good(flight, found):
                assert found.stored is not None
                self._layers.keep_found(
                    flight.key, found, flight.options, born=flight.born, watch=flight.watch
                )
                return found.stored.value
            self._offer(flight, found)
            state = await remote.ask(partial(self._claim, remote, flight, token, found.head))
            if state == "granted":
                return MISSING
            if state == "busy":
                if flight.stale and (flight.answer.done() or flight.ahead):
                    return flight.stale.value
                await asyncio.sleep(LOOK_AGAIN.delay(attempt, self._layers.random))

    async def _claim(self, remote: Remote, flight: Flight, token: str, head: bytes) -> Any:
        options = flight.options
        return await remote.store.claim(
            flight.key,
            token=token,
            lease=options.lease,
            seen=head,
            life=options.l2_ttl + options.grace,
            tags=options.tags,
        )

    def _good(self, flight: Flight, found: Found) -> bool:
        """Return whether what the shared layer has will do; ahead of time it must be newer."""
        if found.stored is None:
            return False
        eager = flight.options.eager if flight.ahead else None
        return found.fresh > (0.0 if eager is None else (1 - eager) * found.stored.fresh)

    def _offer(self, flight: Flight, found: Found) -> None:
        """Remember a value past its ttl, and answer with it at once if that is allowed."""
        stored, age = found.stored, -found.fresh
        if stored is None or flight.ahead:
            return
        if flight.stale is None or age < self._age(flight.stale):
            now = self._layers.clock.monotonic()
            flight.stale = Stale(stored.value, age, now, len(found.data), stored.tags)
        if self._age(flight.stale) < flight.options.stale_for:
            self._answer_early(flight)

    def _age(self, stale: Stale) -> float:
        """Return for how long a value is past its ttl now (s)."""
        return stale.age + self._layers.clock.monotonic() - stale.seen

    def _answer_early(self, flight: Flight) -> None:
        if flight.stale is not None and not flight.answer.done():
            flight.background = True
            self.stale_served += flight.waiters
            flight.answer.set_result(flight.stale.value)

    def _can_fail_safe(self, flight: Flight) -> bool:
        stale = flight.stale
        if stale is None or flight.watch.dirty:
            return False
        if not self._layers.barriers.valid(stale.tags, flight.born):
            return False
        return flight.ahead or self._age(stale) < flight.options.grace

    async def _computed(self, flight: Flight, remote: Remote | None, token: str) -> Any:
        """Call the factory and keep what it returns; the claim ends in any case."""
        filled = False
        try:
            stale = MISSING if flight.stale is None else flight.stale.value
            context = FillContext(flight.key, flight.options, stale)
            value = await self._called(flight, context, remote, token)
            filled = await self._kept(flight, context, value, remote, token)
        finally:
            if remote is not None and not filled:
                self._release(remote, flight.key, token)
        return value

    async def _called(
        self, flight: Flight, context: FillContext, remote: Remote | None, token: str
    ) -> Any:
        self.calls += 1
        now = self._layers.clock.monotonic
        begun = now()
        task = asyncio.get_running_loop().create_task(_invoked(flight.factory, context))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            await self._watched(task, flight, remote, token)
            if task.done():
                value = task.result()
                self.latency.record(max(0.0, now() - begun))
                return value
        finally:
            task.cancel()
        hard = flight.options.factory_hard_timeout
        raise FactoryTimeoutError(f"the factory of {flight.key!r} took longer than {hard:g} s")

    async def _watched(
        self, task: "asyncio.Task[Any]", flight: Flight, remote: Remote | None, token: str
    ) -> None:
        """Wait for a factory until its hard timeout; meanwhile keep the claim alive."""
        options, loop = flight.options, asyncio.get_running_loop()
        begun = loop.time()
        hard = _at(begun, options.factory_hard_timeout)
        soft = _at(begun, options.factory_soft_timeout)
        renewal = begun + options.lease / 3 if remote is not None else inf
        while not task.done():
            now = loop.time()
            if now >= hard:
                return
            if now >= soft:
                soft = inf
                if self._can_fail_safe(flight):
                    self._answer_early(flight)
            if now >= renewal and remote is not None:
                renewal = now + options.lease / 3 if await _renewed(remote, flight, token) else inf
            until = min(hard, soft, renewal)
            await asyncio.wait([task], timeout=None if until == inf else until - loop.time())

    async def _kept(
        self, flight: Flight, context: FillContext, value: Any, remote: Remote | None, token: str
    ) -> bool:
        """Store a value where it may be stored; return whether the claim is used up."""
        layers, options = self._layers, context.options
        chance = layers.random.random() if options.jitter else 0.0
        l1_ttl, l2_ttl = options.ttls(value, chance)
        if not context.keeps or not l2_ttl:
            return False
        filled, size = False, layers.size_of(value, options)
        if remote is not None:
            body, size = layers.encoded(value, fresh=l2_ttl, tags=options.tags)
            fill = partial(
                remote.store.fill, flight.key, body,
                token=token, life=l2_ttl + options.grace, tags=options.tags,
            )  # fmt: skip
            try:
                filled = await remote.ask(fill)
            except L2DownError:
                filled = False
            else:
                if not filled:
                    self.refused += 1
                    return True
        self.refused += flight.watch.dirty and not filled
        layers.keep(
            flight.key, value,
            fresh=l1_ttl, options=options, size=size, born=flight.born, watch=flight.watch,
        )  # fmt: skip
        return filled

    def _failed(self, flight: Flight, error: Exception) -> None:
        """Answer with a value past its ttl if that is allowed, else with the error."""
        self.errors += 1
        stale, options = flight.stale, flight.options
        if stale is None or not self._can_fail_safe(flight):
            if not flight.answer.done():
                flight.answer.set_exception(error)
            return
        if flight.ahead:
            self._layers.postpone(flight.key, options.fail_safe_throttle)
        else:
            self._throttle(flight, stale)
        self._answer_early(flight)

    def _throttle(self, flight: Flight, stale: Stale) -> None:
        """Leave a factory that failed alone for a while: the old value counts as fresh."""
        left = flight.options.grace - self._age(stale)
        fresh = min(flight.options.fail_safe_throttle, left)
        options = replace(
            flight.options, stale_for=0.0, fail_safe_for=max(0.0, left - fresh), eager=None,
            tags=stale.tags,
        )  # fmt: skip
        self._layers.keep(
            flight.key, stale.value,
            fresh=fresh, options=options, size=stale.size, born=flight.born, watch=flight.watch,
        )  # fmt: skip

    def _release(self, remote: Remote, key: str, token: str) -> None:
        if self._open:
            self.spawn(_released(remote, key, token))

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def _landed(self, flight: Flight, task: "asyncio.Task[None]") -> None:
        self._forget(flight)
        self._layers.watches.part(flight.key, flight.watch)
        if not flight.answer.done():
            flight.answer.set_exception(NotOpenError("the cache was closed meanwhile"))
        self._ended(task)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        _heard(task)


async def _invoked(factory: Factory, context: FillContext) -> Any:
    value = factory(context) if _wants_context(factory) else factory()
    return await value if inspect.isawaitable(value) else value


def _wants_context(factory: Factory) -> bool:
    """Return whether a factory has a positional parameter without a default."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is p.empty for p in parameters)


async def _renewed(remote: Remote, flight: Flight, token: str) -> bool:
    step = partial(remote.store.renew, flight.key, token=token, lease=flight.options.lease)
    try:
        return await remote.ask(step)
    except L2DownError:
        return True


async def _released(remote: Remote, key: str, token: str) -> None:
    with suppress(L2DownError):
        await remote.ask(partial(remote.store.release, key, token=token))


def _at(begun: float, timeout: float | None) -> float:
    return inf if timeout is None else begun + timeout


def _heard(outcome: "asyncio.Future[Any]") -> None:
    """Look at an outcome that nobody may wait for."""
    if not outcome.cancelled():
        outcome.exception()
