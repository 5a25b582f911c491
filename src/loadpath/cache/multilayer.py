"""The cache as a program uses it: memory first, then the shared layer, then the factory.

Guide: chapter 5, `MultiLayerCache`, with its defaults: 1,000 entries and 5 minutes in memory, one
hour in the shared layer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial, wraps
from random import Random
from typing import Any, Literal, ParamSpec, Self, TypeVar, get_args, get_type_hints

from loadpath.cache.barriers import Barriers
from loadpath.cache.codec import check_type
from loadpath.cache.commit import AfterCommit
from loadpath.cache.filling import Factory, Filler, Stale
from loadpath.cache.glob import matcher
from loadpath.cache.hearing import Backplane
from loadpath.cache.keys import key_builder
from loadpath.cache.l1 import L1
from loadpath.cache.layers import Layers
from loadpath.cache.lru import Lru
from loadpath.cache.missing import MISSING
from loadpath.cache.options import EntryOptions
from loadpath.cache.packing import check_library
from loadpath.cache.recovery import EVERYTHING, Missed, Recovery
from loadpath.cache.remote import L2DownError, Remote
from loadpath.cache.rules import InvalidationRules
from loadpath.cache.s3fifo import S3Fifo
from loadpath.cache.stats import CacheStats
from loadpath.cache.store import Store
from loadpath.cache.windows import STEP
from loadpath.core.clock import Clock, SystemClock
from loadpath.core.ports import Guard

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Policy = Literal["s3fifo", "lru"]
"""What decides who leaves memory when it is full."""
MANY = 500
"""Keys that one step of `get_many` and `set_many` carries."""


class MultiLayerCache:
    """Cache values in this process and in a layer that processes share.

    Use it as an async context manager: what it starts, it ends.

    Args:
        store: The shared layer, such as `ValkeyStore(client)`; None: memory only.
        l1_entries: Most entries in memory; 0: no memory layer.
        l1_bytes: Most bytes in memory, measured as values are encoded.
        policy: Who leaves memory when it is full.
        options: How entries are kept, unless an entry says otherwise.
        guard: Decides whether the shared layer may be asked, such as a circuit breaker.
        pack_above: Values larger than this as they are encoded are packed with Zstandard for the
            shared layer (bytes); None: none is.
        l2_timeout: How long one step in the shared layer may take (s).
        backplane: Tells what other processes change.
        recovery_delay: How long to wait before an invalidation is tried again (s).
        recovery_limit: Most invalidations remembered apart while the shared layer is down.
        clock: Tells both times.
        random: Where jitter comes from.

    Attributes:
        probe: `probe(key, default=None)` returns what memory has fresh, without waiting.
        rules: Which keys belong to which kind of entity.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        l1_entries: int = 1_000,
        l1_bytes: int = 64 * 2**20,
        policy: Policy = "s3fifo",
        options: EntryOptions | None = None,
        guard: Guard | None = None,
        pack_above: int | None = None,
        l2_timeout: float = 1.0,
        backplane: Backplane | None = None,
        recovery_delay: float = 2.0,
        recovery_limit: int = 1_000,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        if policy not in get_args(Policy):
            raise ValueError(f"policy must be one of {get_args(Policy)}, not {policy!r}")
        if l1_entries < 0 or l2_timeout <= 0 or recovery_delay <= 0:
            raise ValueError(
                "l1_entries must be at least 0, l2_timeout and recovery_delay above 0 s, not "
                f"{l1_entries}, {l2_timeout}, {recovery_delay}"
            )
        if not l1_entries and store is None:
            raise ValueError("a cache needs a layer: give a store, or l1_entries above 0")
        if pack_above is not None:
            if pack_above < 0:
                raise ValueError(f"pack_above must be at least 0 bytes or None, not {pack_above}")
            check_library()
        self.options = options or EntryOptions()
        self.rules = InvalidationRules()
        clock, barriers = clock or SystemClock(), Barriers()
        kind = S3Fifo if policy == "s3fifo" else Lru
        self._l1: L1 | None = None
        self.probe: Callable[..., Any] = _nothing
        if l1_entries:
            self._l1 = kind(clock, barriers, max_entries=l1_entries, max_bytes=l1_bytes)
            self.probe = self._l1.probe
        self._remote: Remote | None = None
        if store is not None:
            recovery = Recovery(limit=recovery_limit)
            self._remote = Remote(
                store, timeout=l2_timeout, clock=clock, recovery=recovery, guard=guard
            )
        self._missed = asyncio.Event()
        self._layers = Layers(
            l1=self._l1,
            remote=self._remote,
            barriers=barriers,
            clock=clock,
            random=random or Random(),  # noqa: S311 - spreads expiry, guards nothing
            pack_above=pack_above,
            on_missed=self._missed.set,
        )
        self._filler = Filler(self._layers)
        self._backplane = backplane
        self._recovery_delay = recovery_delay
        self._stop_hearing: Callable[[], Awaitable[None] | None] | None = None

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            NotTrackingError: The backplane's client would never hear a change.
        """
        if self._backplane is not None:
            self._stop_hearing = await self._backplane.start(self)
        self._filler.open()
        self._filler.spawn(self._mark())
        if self._remote is not None:
            self._filler.spawn(self._recover(self._remote))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what was started; values in the shared layer stay."""
        ended = None if self._stop_hearing is None else self._stop_hearing()
        if ended is not None:
            await ended
        await self._filler.close()

    async def get(self, key: str, default: Any = None, *, type_: Any = Any) -> Any:
        """Return the value of a key if a layer has it fresh.

        Args:
            key: The key.
            default: What a miss returns; pass `MISSING` where None may be a value.
            type_: What the value must be when it comes from the shared layer.
        """
        if self._l1 is not None:
            value = self.probe(key, MISSING)
            if value is not MISSING:
                return value
            if self._remote is None:
                return default
            return (await self._from_l2(self._remote, [key], type_)).get(key, default)
        assert self._remote is not None
        try:
            found = await self._layers.read(self._remote, key, type_)
        except L2DownError:
            return default
        stored = found.stored
        return default if stored is None or not found.fresh > 0 else stored.value

    async def get_many(self, keys: Iterable[str], *, type_: Any = Any) -> dict[str, Any]:
        """Return the values of those keys that a layer has fresh."""
        found: dict[str, Any] = {}
        rest = []
        for key in dict.fromkeys(keys):
            value = self.probe(key, MISSING)
            if value is MISSING:
                rest.append(key)
            else:
                found[key] = value
        if self._remote is not None:
            for part in _parts(rest):
                found |= await self._from_l2(self._remote, part, type_)
        return found

    async def set(self, key: str, value: Any, options: EntryOptions | None = None) -> None:
        """Store a value in both layers; fills of the key that are under way will not replace it.

        A shared layer that cannot be reached is made up for later: it then forgets the key.

        Raises:
            NotStorableError: The shared layer cannot hold the value.
        """
        options = options or self.options
        layers = self._layers
        chance = layers.random.random() if options.jitter else 0.0
        l1_ttl, l2_ttl = options.ttls(value, chance)
        if not l2_ttl:
            await self.delete(key)
            return
        born, size = layers.barriers.sequence, await self._put(key, value, l2_ttl, options)
        if size is None:
            return
        watch = layers.watches.join(key)
        layers.keep(key, value, fresh=l1_ttl, options=options, size=size, born=born, watch=watch)
        layers.watches.part(key, watch)

    async def set_many(
        self, values: Mapping[str, Any], options: EntryOptions | None = None
    ) -> None:
        """Store values in both layers.

        Raises:
            NotStorableError: The shared layer cannot hold one of the values; others may be stored.
        """
        for part in _parts(list(values)):
            await asyncio.gather(*(self.set(key, values[key], options) for key in part))

    async def delete(self, *keys: str) -> int:
        """Forget keys in both layers and return how many were in one of them."""
        return await self._layers.remove(keys)

    async def get_or_set(
        self,
        key: str,
        factory: Factory,
        options: EntryOptions | None = None,
        *,
        type_: Any = Any,
    ) -> Any:
        """Return the value of a key; if no layer has it fresh, what the factory returns.

        The factory is called once for all who ask, in every process that shares the layer.

        Args:
            key: The key.
            factory: Computes the value, async or not; with a parameter it gets a `FillContext`.
            options: How the value is kept.
            type_: What the value must be when it comes from the shared layer.

        Raises:
            NotOpenError: The cache is not open.
            FactoryTimeoutError: The factory took longer than its hard timeout.
            NotStorableError: The shared layer cannot hold the value.
            Exception: What the factory raised, unless an old value may be served.
        """
        value = self.probe(key, MISSING, True)
        if value is not MISSING:
            return value
        return await self._load(key, factory, options or self.options, type_)

    async def read_through(self, key: str, load: Factory, *, type_: Any = Any) -> Any:
        """Return the value of a key, loading it by its key when no layer has it.

        Args:
            key: The key, which is all that `load` gets.
            load: Loads a value from where values are kept.
            type_: What the value must be when it comes from the shared layer.

        Raises:
            Exception: As from `get_or_set`.
        """
        return await self.get_or_set(key, partial(load, key), type_=type_)

    async def write_through(
        self,
        key: str,
        value: T,
        save: Callable[[T], Awaitable[object]],
        options: EntryOptions | None = None,
    ) -> None:
        """Save a value where values are kept, then store it in both layers.

        Whatever fails, the cache holds the value that was saved or none: when saving fails or is
        cancelled, when another process writes the same key meanwhile, when the shared layer fails.

        Args:
            key: The key.
            value: The value.
            save: Saves it; raises if it did not.
            options: How the value is kept.

        Raises:
            NotOpenError: The cache is not open.
            Exception: What `save` raised.
        """
        await self.delete(key)
        kept = False
        try:
            kept = await self._filler.write(key, value, save, options or self.options)
        finally:
            if not kept:
                await self.delete(key)

    def cached(
        self, key: str | None = None, *, options: EntryOptions | None = None, type_: Any = None
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """Cache what an async function returns.

        Args:
            key: Template of the key with the function's parameters, such as `user:{id}`; None: the
                function's name and all arguments.
            options: How values are kept.
            type_: What a value must be when it comes from the shared layer; None: what the
                function says it returns.

        Raises:
            ValueError: The template does not fit the function.
            TypeError: Values of the type cannot come from the shared layer.
        """

        def wrap(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
            build, probe, load = key_builder(function, key), self.probe, self._load
            kept = options or self.options
            returns = _returns(function) if type_ is None else type_
            if self._remote is not None:
                check_type(returns)

            @wraps(function)
            async def call(*args: P.args, **kwargs: P.kwargs) -> R:
                name = build(args, kwargs)
                value = probe(name, MISSING, True)
                if value is MISSING:
                    value = await load(name, partial(function, *args, **kwargs), kept, returns)
                found: R = value
                return found

            return call

        return wrap

    async def invalidate_tags(self, *tags: str) -> None:
        """Let every entry with one of the tags be invalid, at the same cost however many there are.

        Raises:
            ValueError: A tag is empty.
        """
        if not all(tags):
            raise ValueError("a tag must not be empty")
        if tags:
            await self._layers.invalidate_tags(tags)

    async def invalidate_pattern(self, pattern: str) -> int:
        """Remove every key that matches a pattern as a whole; return how many L2 (or L1) had.

        `*` is any text, `?` any character, a backslash takes their meaning away. The shared layer
        is scanned in steps, so it goes on serving.

        Raises:
            ValueError: The pattern is empty or ends in a lone backslash.
        """
        here = await self._forget_matching(pattern)
        if self._remote is None:
            return here
        there, steps = 0, self._remote.store.remove_matching(pattern)
        try:
            # each step has its own time limit, so that a long scan is no failure
            while (removed := await self._remote.tell(partial(anext, steps, None))) is not None:
                there += removed
        except L2DownError:
            self._layers.missed(EVERYTHING)
        except asyncio.CancelledError:
            self._layers.missed(EVERYTHING)
            raise
        await self._forget_matching(pattern)
        return there

    async def invalidate_by_time(self, age: float = 0.0) -> None:
        """Let everything that was begun more than `age` seconds ago be invalid; 0: everything.

        Raises:
            ValueError: `age` is negative.
        """
        if not age >= 0:
            raise ValueError(f"age must be at least 0 s, not {age}")
        await self._layers.invalidate_before(age)

    async def invalidate_entity(self, entity: str, id_: str | int) -> None:
        """Remove the keys that belong to an entity by its rules.

        Raises:
            LookupError: `rules` has none for this kind of entity.
        """
        keys, patterns = self.rules.affected(entity, id_)
        await self.delete(*keys)
        for pattern in patterns:
            await self.invalidate_pattern(pattern)

    @asynccontextmanager
    async def after_commit(self) -> AsyncIterator[AfterCommit]:
        """Collect invalidations within the block and do them when it ends without an error.

        Put the database transaction inside: readers that read the old row meanwhile may answer
        with it, but what they read is never stored after the commit was made known.
        """
        collected = AfterCommit()
        yield collected
        await collected.run(self)

    def snapshot(self) -> CacheStats:
        """Return the counts of this moment."""
        filler = self._filler
        return CacheStats(
            l1=None if self._l1 is None else self._l1.snapshot(),
            l2=None if self._remote is None else self._remote.snapshot(),
            factory_calls=filler.calls,
            factory_errors=filler.errors,
            stale_served=filler.stale_served,
            stores_refused=filler.refused,
            filling=len(filler),
            factory_latency=filler.latency.snapshot(),
        )

    def changed(self, key: str) -> None:
        """Learn from the backplane that the entry of a key was written or removed."""
        self._layers.forget(key)

    def tag_changed(self, tag: str) -> None:
        """Learn from the backplane that a tag was invalidated."""
        self._layers.barriers.invalidate(tag)

    def all_changed(self) -> None:
        """Learn from the backplane that anything may have changed."""
        self._layers.forget_all()

    async def _load(self, key: str, factory: Factory, options: EntryOptions, type_: Any) -> Any:
        """Return the value of a key that is not fresh in memory, or is due for a new one."""
        entry = None if self._l1 is None else self._l1.peek(key)
        if entry is None or self._l1 is None:
            return await self._filler.load(key, factory, options, type_, None)
        now = self._layers.clock.monotonic()
        age = now - entry.fresh_until
        stale = Stale(entry.value, age, now, entry.size, entry.tags)
        if age >= 0 and age >= options.stale_for:
            return await self._filler.load(key, factory, options, type_, stale)
        if age < 0:
            self._l1.hits += 1
        else:
            self._filler.stale_served += 1
        self._filler.refresh(key, factory, options, type_, stale, ahead=age < 0)
        return entry.value

    async def _from_l2(self, remote: Remote, keys: Sequence[str], type_: Any) -> dict[str, Any]:
        layers = self._layers
        watches = [(key, layers.watches.join(key)) for key in keys]
        born, values = layers.barriers.sequence, {}
        try:
            found = await layers.read_many(remote, keys, type_)
            for (key, watch), one in zip(watches, found, strict=True):
                if one.stored is not None and one.fresh > 0:
                    values[key] = one.stored.value
                    layers.keep_found(key, one, self.options, born=born, watch=watch)
        except L2DownError:
            pass
        finally:
            for key, watch in watches:
                layers.watches.part(key, watch)
        return values

    async def _put(self, key: str, value: Any, ttl: float, options: EntryOptions) -> int | None:
        """Store a value in the shared layer; return what it counts for in memory (bytes).

        None: the key was changed by somebody else meanwhile, so memory must not hold the value.
        """
        layers, remote = self._layers, self._remote
        layers.forget(key)
        if remote is None:
            return layers.size_of(value, options)
        body, size = layers.encoded(value, fresh=ttl, tags=options.tags)
        step = partial(remote.store.put, key, body, life=ttl + options.grace, tags=options.tags)
        watch = layers.watches.join(key)
        try:
            await layers.heard(step, [Missed("key", key)])
        finally:
            changed = watch.dirty
            layers.watches.part(key, watch)
            layers.forget(key)
        return None if changed else size

    async def _forget_matching(self, pattern: str) -> int:
        """Forget what matches in memory and on its way there, letting others run in between."""
        matches = matcher(pattern)
        self._layers.watches.invalidate_where(matches)
        removed = 0
        for part in _parts(list(self._l1.keys()) if self._l1 is not None else []):
            removed += sum([self._layers.forget(key) for key in part if matches(key)])
            await asyncio.sleep(0)
        return removed

    async def _mark(self) -> None:
        """Note now and then how far the counts are."""
        while True:
            await asyncio.sleep(STEP)
            for layer in (self._l1, self._remote):
                if layer is not None:
                    layer.mark()

    async def _recover(self, remote: Remote) -> None:
        """Let the shared layer hear what it missed, once it is back."""
        while True:
            await self._missed.wait()
            self._missed.clear()
            while remote.recovery:
                try:
                    await remote.replay()
                except L2DownError:
                    await asyncio.sleep(self._recovery_delay)


def _nothing(key: str, default: Any = None, eager: bool = False) -> Any:  # noqa: ARG001, FBT001, FBT002 - stands in for a probe
    return default


def _parts(keys: list[str]) -> Iterable[list[str]]:
    return (keys[begin : begin + MANY] for begin in range(0, len(keys), MANY))


def _returns(function: Callable[..., Any]) -> Any:
    try:
        return get_type_hints(function).get("return", Any)
    except (NameError, TypeError):
        return Any
