"""Schedules in Valkey or Redis, shared by every process that has the same prefix.

One script decides and writes in one step, by the server's clock, so the clocks of the callers do
not matter. A key expires when its schedule has passed: an idle client costs nothing.
"""

import asyncio
from math import inf
from pathlib import Path
from typing import Literal, get_args

import msgspec
from redis.asyncio import Redis
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the driver's
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,  # noqa: A004 - the driver's
)

from loadpath.core.errors import RejectedError
from loadpath.resilience.ratelimit.gcra import Rate, RateLimited

WhenDown = Literal["admit", "refuse"]
"""What to do while the server cannot tell."""

_DOWN = (
    ConnectionError,
    TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    MasterDownError,
    OSError,  # asyncio's own TimeoutError is one
)
_SCRIPT = Path(__file__).with_name("gcra.lua").read_text(encoding="utf-8")
_MICRO = 1e6


class RateStoreDown(RejectedError, OSError):
    """Refuse a request because the server that counts them cannot tell; nothing was tried."""


class RedisRatesSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Count since the start.

    Attributes:
        unknown: Requests that the server could not tell about; `when_down` decided them.
    """

    unknown: int


class RedisRates:
    """Keep schedules on a server; a `RateStore`.

    A request whose answer is lost may have used up a place.

    Args:
        client: The connection, which stays its owner's.
        when_down: `admit` lets requests pass unlimited while the server is down, `refuse` lets none
            pass. Neither is right for everybody, so there is no default.
        prefix: Beginning of every key.
        timeout: Longest wait for an answer (s).
    """

    __slots__ = ("_prefix", "_script", "_timeout", "_unknown", "_when_down")

    def __init__(
        self,
        client: Redis,
        *,
        when_down: WhenDown,
        prefix: str = "loadpath:rate:",
        timeout: float = 0.25,
    ) -> None:
        if when_down not in get_args(WhenDown):
            raise ValueError(f"when_down must be one of {get_args(WhenDown)}, not {when_down!r}")
        if not 0 < timeout < inf:
            raise ValueError(f"timeout must be above 0 s and finite, not {timeout}")
        self._script = client.register_script(_SCRIPT)
        self._when_down = when_down
        self._prefix = prefix
        self._timeout = timeout
        self._unknown = 0

    async def admit(self, key: str, rate: Rate) -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early.
            RateStoreDown: The server cannot tell, and `when_down` is `refuse`.
        """
        try:
            async with asyncio.timeout(self._timeout):
                early = await self._script(
                    keys=[self._prefix + key], args=[repr(rate.interval * _MICRO), rate.burst]
                )
        except _DOWN as error:
            self._unknown += 1
            if self._when_down == "admit":
                return
            raise RateStoreDown("the rate limit cannot be checked; retry later") from error
        if early:
            raise RateLimited(early / _MICRO)

    def snapshot(self) -> RedisRatesSnapshot:
        """Return the figures of this moment."""
        return RedisRatesSnapshot(unknown=self._unknown)
