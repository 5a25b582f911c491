"""Endpoints from Redis or Valkey: a hash of addresses, or a set of them, looked at by polling."""

from collections.abc import Awaitable, Mapping
from typing import Any, Literal, Protocol, get_args

from loadpath.upstream.resolvers.poll import Found, checked_wait, poll
from loadpath.upstream.resolvers.resolver import Stream
from loadpath.upstream.resolvers.rows import from_addresses, from_hash

Kind = Literal["hash", "set"]
"""How endpoints are kept: a hash of addresses to weight, JSON object or nothing, or a set."""


class RedisClient(Protocol):
    """Read a hash and a set, as `redis.asyncio.Redis` does."""

    def hgetall(self, name: str) -> Awaitable[Mapping[Any, Any]] | Mapping[Any, Any]:
        """Return all fields of a hash."""
        ...

    def smembers(self, name: str) -> Awaitable[set[Any]] | set[Any]:
        """Return all members of a set."""
        ...


class RedisResolver:
    """Give the endpoints of one key whenever they change.

    Args:
        client: Asks the server; it is handed in and stays the caller's.
        key: Where they are.
        kind: `hash` (`HSET orders 10.0.0.1:80 3`, or `'{"weight": 3, "zone": "a"}'` for the
            value) or `set` (`SADD orders 10.0.0.1:80`).
        interval: How often the key is read (s).
    """

    def __init__(
        self, client: RedisClient, key: str, *, kind: Kind = "hash", interval: float = 5.0
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {get_args(Kind)}, not {kind!r}")
        self._client = client
        self._key = key
        self._kind = kind
        self._interval = checked_wait("interval", interval)

    async def watch(self) -> Stream:
        """Give the set of the key, then each one that it becomes."""
        async for found in poll(f"{self._kind} {self._key}", self._look, retry=self._interval):
            yield found

    async def _look(self) -> Found:
        if self._kind == "set":
            members: Any = await self._client.smembers(self._key)  # type: ignore[misc]
            return from_addresses([_text(each) for each in members]), self._interval
        fields: Any = await self._client.hgetall(self._key)  # type: ignore[misc]
        found = {_text(address): _text(value) for address, value in fields.items()}
        return from_hash(found), self._interval


def _text(value: bytes | str) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value
