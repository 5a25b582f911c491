"""The two layers together: read L2 and judge what it says, keep in L1, forget in both.

Whatever is fetched is kept only if its key was not invalidated meanwhile (`Watches`) and carries
the number at which fetching began, so that a tag invalidated meanwhile makes it invalid.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from sys import getsizeof
from typing import Any, TypeVar

import msgspec

from loadpath.cache.barriers import Barriers
from loadpath.cache.codec import HEAD, Stored, decode, encode
from loadpath.cache.entry import ALWAYS, Entry
from loadpath.cache.errors import NotStorableError, UndecodableError
from loadpath.cache.l1 import L1
from loadpath.cache.options import EntryOptions
from loadpath.cache.packing import pack
from loadpath.cache.recovery import EVERYTHING, Missed
from loadpath.cache.remote import L2DownError, Remote
from loadpath.cache.watches import Watch, Watches
from loadpath.core.clock import Clock

T = TypeVar("T")


class Found(msgspec.Struct, frozen=True, gc=False):
    """Tell what L2 holds for a key.

    Attributes:
        data: What is there, whether or not it may be used; empty when there is nothing.
        stored: The entry, None when there is none that may be used.
        fresh: For how long it is still fresh (s); negative: for how long it is stale.
    """

    data: bytes = b""
    stored: Stored | None = None
    fresh: float = 0.0

    @property
    def head(self) -> bytes:
        """What tells this write of the key from another."""
        return self.data[:HEAD]


class Layers:
    """Join the layers of one cache.

    Args:
        l1: The memory layer, if there is one.
        remote: The shared layer, if there is one.
        barriers: Tags invalidated in this process.
        clock: Tells both times.
        random: Where jitter comes from.
        pack_above: Bodies larger than this are packed for the shared layer (bytes), None: none.
        on_missed: Called when the shared layer missed an invalidation.
    """

    def __init__(
        self,
        *,
        l1: L1 | None,
        remote: Remote | None,
        barriers: Barriers,
        clock: Clock,
        random: Random,
        pack_above: int | None = None,
        on_missed: Callable[[], None],
    ) -> None:
        self.l1 = l1
        self.remote = remote
        self.barriers = barriers
        self.watches = Watches()
        self.clock = clock
        self._time = clock.time
        self.random = random
        self._pack_above = pack_above
        self._on_missed = on_missed

    async def read(self, remote: Remote, key: str, type_: Any) -> Found:
        """Return what the shared layer holds for a key, counted.

        Raises:
            L2DownError: It cannot be used.
        """
        floor, data = await remote.read((key,))
        found = self._judge(remote, data, floor, type_, self._time())
        stored = found.stored
        if stored is not None and stored.tags:
            found = (await self._without_invalid(remote, [found], stored.tags))[0]
        if found.fresh > 0:
            remote.hits += 1
        else:
            _count_miss(remote, found)
        return found

    async def read_many(self, remote: Remote, keys: Sequence[str], type_: Any) -> list[Found]:
        """Return what the shared layer holds for keys, counted.

        Raises:
            L2DownError: It cannot be used.
        """
        floor, *data = await remote.read(keys)
        now = self._time()
        found = [self._judge(remote, one, floor, type_, now) for one in data]
        tags = {tag for one in found if one.stored for tag in one.stored.tags}
        if tags:
            found = await self._without_invalid(remote, found, sorted(tags))
        for one in found:
            if one.fresh > 0:
                remote.hits += 1
            else:
                _count_miss(remote, one)
        return found

    def keep(
        self,
        key: str,
        value: Any,
        *,
        fresh: float,
        options: EntryOptions,
        size: int,
        born: int,
        watch: Watch,
    ) -> None:
        """Hold a value in memory, unless its key was invalidated since `watch` began."""
        if self.l1 is None or watch.dirty:
            return
        now = self.clock.monotonic()
        entry = Entry(
            value,
            fresh_until=now + fresh,
            keep_until=now + fresh + options.grace,
            eager_at=now + fresh * options.eager if options.eager else ALWAYS,
            size=len(key) + (size if options.size is None else options.size),
            tags=options.tags,
            born=born,
        )
        self.l1.put(key, entry)

    def keep_found(
        self, key: str, found: Found, options: EntryOptions, *, born: int, watch: Watch
    ) -> None:
        """Hold in memory what the shared layer had, no longer than it is fresh there."""
        stored = found.stored
        if self.l1 is None or stored is None:
            return
        ttl, _ = options.ttls(stored.value, self.random.random() if options.jitter else 0.0)
        self.keep(
            key,
            stored.value,
            fresh=min(ttl, found.fresh),
            options=options.with_tags(stored.tags),
            size=stored.size,
            born=born,
            watch=watch,
        )

    def postpone(self, key: str, seconds: float) -> None:
        """Let a fresh value be fetched ahead of time `seconds` later."""
        entry = None if self.l1 is None else self.l1.peek(key)
        if entry is not None:
            entry.eager_at = self.clock.monotonic() + seconds
            entry.check_at = min(entry.eager_at, entry.fresh_until)

    def encoded(self, value: Any, *, fresh: float, tags: tuple[str, ...]) -> tuple[bytes, int]:
        """Return what goes to the shared layer, and how large it is unpacked (bytes).

        Raises:
            NotStorableError: MessagePack cannot hold the value.
        """
        body = encode(value, created=self._time(), fresh=fresh, tags=tags)
        size = len(body)
        if self._pack_above is not None and size > self._pack_above:
            body = pack(body)
        return body, size

    def size_of(self, value: Any, options: EntryOptions) -> int:
        """Return what a value counts for in memory (bytes): as long as it is encoded."""
        if self.l1 is None or options.size is not None:
            return 0
        try:
            return len(encode(value, created=0.0, fresh=0.0))
        except NotStorableError:
            return getsizeof(value)

    def forget(self, key: str) -> bool:
        """Forget a key in memory and what is on its way there; return whether it was there."""
        self.watches.invalidate(key)
        return self.l1 is not None and self.l1.remove(key)

    def forget_all(self) -> None:
        """Forget everything in memory and on its way there."""
        self.barriers.invalidate_all()
        self.watches.invalidate_where(lambda _: True)

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove keys from both layers and return how many were in one of them."""
        here = sum([self.forget(key) for key in keys])
        if self.remote is None:
            return here
        step = partial(self.remote.store.remove, keys)
        there = await self.heard(step, [Missed("key", key) for key in keys])
        for key in keys:
            self.forget(key)
        return max(here, there or 0)

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Let every entry with one of the tags be invalid in both layers."""
        self._raise_barriers(tags)
        if self.remote is not None:
            step = partial(self.remote.store.invalidate_tags, tags)
            await self.heard(step, [Missed("tag", tag) for tag in tags])
            self._raise_barriers(tags)

    async def invalidate_before(self, age: float) -> None:
        """Let every entry older than `age` seconds be invalid in both layers."""
        self.forget_all()
        if self.remote is not None:
            step = partial(self.remote.store.invalidate_before, age)
            await self.heard(step, [EVERYTHING])
            self.forget_all()

    def missed(self, *missed: Missed) -> None:
        """Remember what the shared layer did not hear."""
        assert self.remote is not None
        for one in missed:
            self.remote.recovery.add(one)
        self._on_missed()

    async def heard(self, step: Callable[[], Awaitable[T]], missed: Sequence[Missed]) -> T | None:
        """Do a step that the shared layer must not miss; if it does, remember what it missed."""
        assert self.remote is not None
        heard = False
        try:
            outcome = await self.remote.tell(step)
            heard = True
        except L2DownError:
            return None
        finally:
            if not heard:
                self.missed(*missed)
        return outcome

    def _raise_barriers(self, tags: Sequence[str]) -> None:
        for tag in tags:
            self.barriers.invalidate(tag)

    def _judge(
        self, remote: Remote, data: bytes | None, floor: bytes | None, type_: Any, now: float
    ) -> Found:
        if data is None:
            return Found()
        try:
            stored = decode(data, type_)
        except UndecodableError:
            remote.garbage += 1
            return Found(data)
        if floor is None or stored.stamp <= int(floor):
            remote.invalid += 1
            return Found(data)
        age = now - stored.created
        fresh = stored.fresh - age if age > 0 else stored.fresh
        return Found(data, stored, fresh)

    async def _without_invalid(
        self, remote: Remote, found: list[Found], tags: Sequence[str]
    ) -> list[Found]:
        """Take out what has a tag whose barrier is as high, or lost."""
        values = await remote.ask(partial(remote.store.barriers, tags))
        barriers = {
            tag: int(value) for tag, value in zip(tags, values, strict=True) if value is not None
        }
        checked = []
        for one in found:
            stored = one.stored
            if stored and any(stored.stamp <= barriers.get(t, stored.stamp) for t in stored.tags):
                remote.invalid += 1
                checked.append(Found(one.data))
            else:
                checked.append(one)
        return checked


def _count_miss(remote: Remote, found: Found) -> None:
    remote.misses += 1
    remote.stale += found.stored is not None
