"""Counts that all workers and gateways share, on a Valkey or Redis server."""

from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as Client

from loadpath.gateway.settings.filters import Redis
from loadpath.resilience import Rate
from loadpath.resilience.ratelimit.redis import RedisRates, WhenDown

_CONNECTIONS = 16
_TIMEOUT = 0.25  # seconds that a request waits for its count
_WHEN_DOWN: dict[str, WhenDown] = {"allow": "admit", "deny": "refuse"}


class SharedRates:
    """Keep schedules on a server; a `RateStore` that owns its connections.

    Args:
        settings: Where, and what to do without it.
    """

    def __init__(self, settings: Redis) -> None:
        pool = BlockingConnectionPool.from_url(
            settings.url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
        )
        self._client = Client.from_pool(pool)
        self._rates = RedisRates(
            self._client,
            when_down=_WHEN_DOWN[settings.unavailable],
            prefix="loadpath:gateway:",
            timeout=_TIMEOUT,
        )

    async def admit(self, key: str, rate: Rate) -> None:
        """Admit one request of `key` now.

        Raises:
            RateLimited: It came too early.
            RateStoreDown: The server cannot tell, and the settings say `deny`.
        """
        await self._rates.admit(key, rate)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
