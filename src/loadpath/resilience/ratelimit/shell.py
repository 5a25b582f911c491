"""Bound the rate of calls: `await limit.acquire(key)`, `await limit.call(…)` or `@limit`."""

from collections.abc import Awaitable, Callable

import msgspec

from loadpath.core.errors import RejectedError
from loadpath.core.ports import Events
from loadpath.resilience.ratelimit.gcra import Rate
from loadpath.resilience.ratelimit.memory import MemoryRates
from loadpath.resilience.ratelimit.store import RateStore
from loadpath.resilience.stage import P, Stage, T


class RateRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell that a request was refused.

    Attributes:
        name: The limit.
        key: Whose request it was.
        retry_after: Seconds until it would be admitted; None when unknown.
    """

    name: str
    key: str
    retry_after: float | None


class RateLimitSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        name: The limit.
        admitted: Requests admitted.
        rejected: Requests refused.
    """

    name: str
    admitted: int
    rejected: int


class RateLimit(Stage):
    """Admit so many requests per period for each key, and refuse the rest.

    As a stage it limits all calls together, under the empty key.

    Args:
        rate: How many.
        store: Where the schedules are; None for this process's memory.
        name: Beginning of every key, and what events and figures call it.
        events: Who hears `RateRejected`.
    """

    __slots__ = ("_admitted", "_events", "_prefix", "_rate", "_rejected", "_store", "name")

    def __init__(
        self,
        rate: Rate,
        store: RateStore | None = None,
        *,
        name: str = "limit",
        events: Events | None = None,
    ) -> None:
        self._rate = rate
        self._store = store or MemoryRates()
        self.name = name
        self._prefix = f"{name}:"
        self._events = events
        self._admitted = self._rejected = 0

    async def acquire(self, key: str = "") -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early.
            RejectedError: The store cannot tell and refuses.
        """
        try:
            await self._store.admit(self._prefix + key, self._rate)
        except RejectedError as error:
            self._rejected += 1
            if self._events is not None:
                self._events.emit(
                    RateRejected(name=self.name, key=key, retry_after=error.retry_after)
                )
            raise
        self._admitted += 1

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `function(*args, **kwargs)` returns.

        Raises:
            RateLimited: It was not tried.
            RejectedError: The store cannot tell and refuses.
        """
        await self.acquire()
        return await function(*args, **kwargs)

    def snapshot(self) -> RateLimitSnapshot:
        """Return the figures of this moment."""
        return RateLimitSnapshot(name=self.name, admitted=self._admitted, rejected=self._rejected)
