"""Counts that all workers and gateways share, on a Valkey or Redis server.

A server that does not answer is left alone for a moment: its outage must not make every request
wait.
"""

import asyncio

import redis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from loadpath.core.clock import Clock
from loadpath.gateway.settings.filters import Redis
from loadpath.resilience import BreakerOpen, BreakerPolicy, CircuitBreaker, LastCalls, Rate
from loadpath.resilience.ratelimit.redis import RateStoreDown, RedisRates

_CONNECTIONS = 16
_DRIVER = DriverInfo(lib_version=redis.__version__)  # else each connection looks on the disk
_TIMEOUT = 0.25  # seconds that a request waits for its count
_DOWN = (RateStoreDown, RedisError)  # a server that refuses us cannot tell either
_POLICY = BreakerPolicy(
    window=LastCalls(10), minimum_calls=5, open_for=1.0, half_open_calls=1, half_open_wait=1.0
)


class SharedRates:
    """Keep schedules on a server; a `RateStore` that owns its connections.

    Args:
        settings: Where, and what to do without it.
        clock: Where the monotonic time comes from.
    """

    def __init__(self, settings: Redis, *, clock: Clock | None = None) -> None:
        pool = BlockingConnectionPool.from_url(
            settings.url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            driver_info=_DRIVER,
        )
        self._client = Client.from_pool(pool)
        self._rates = RedisRates(
            self._client, when_down="refuse", prefix="loadpath:gateway:", timeout=_TIMEOUT
        )
        self._breaker = CircuitBreaker(
            "shared counts", _POLICY, failures=_DOWN, ignored=(), clock=clock
        )
        self._allows = settings.unavailable == "allow"
        self._calls = 0

    async def admit(self, key: str, rate: Rate) -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early.
            RateStoreDown: The server cannot tell, and the settings say `deny`.
        """
        self._calls += 1
        try:
            await self._breaker.call(self._rates.admit, key, rate)
        except (*_DOWN, BreakerOpen) as error:
            if not self._allows:
                raise RateStoreDown(
                    "the server of shared counts does not answer", retry_after=1.0
                ) from error
        finally:
            self._calls -= 1

    async def aclose(self) -> None:
        """Close the connections, once what was asked is answered."""
        self._breaker.switch("forced_open")
        try:
            if self._calls:
                await asyncio.sleep(_TIMEOUT)
        finally:
            await self._client.aclose()
