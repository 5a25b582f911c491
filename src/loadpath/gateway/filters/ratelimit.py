"""How often one key may come: an address, a principal, a route, or a field of the request.

An IPv6 client counts by its /64, which is what one customer gets: else it had 2^64 keys.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address
from math import ceil

from loadpath.core.errors import RejectedError
from loadpath.gateway.exchange import AnswerHead, Exchange, Reply
from loadpath.gateway.passing.problems import problem
from loadpath.gateway.settings.filters import RateLimitSettings
from loadpath.resilience import Rate, RateLimited
from loadpath.resilience.ratelimit.store import RateStore

_SITE = 64  # bits of an IPv6 address that one site has
_LONGEST = 64  # characters of a key that are kept as they are


class RateLimitFilter:
    """Refuse what comes too often with 429.

    Args:
        route: Name of the route; keys of different routes count apart.
        settings: How often, and which key.
        store: Where the counts are.
    """

    __slots__ = ("_key", "_policy", "_rate", "_route", "_store")

    def __init__(self, route: str, settings: RateLimitSettings, store: RateStore) -> None:
        self._rate = Rate(limit=settings.limit, period=settings.period, burst=settings.burst)
        self._route = route
        self._store = store
        self._key = _key_of(settings)
        seconds = max(1, ceil(settings.period))
        self._policy = b'"%b";q=%d;w=%d' % (route.encode(), settings.limit, seconds)

    async def enter(self, exchange: Exchange) -> Reply | None:
        """Count a request, and refuse it when it comes too early."""
        try:
            await self._store.admit(f"{self._route}:{self._key(exchange)}", self._rate)
        except RateLimited as error:
            return self._refusal(429, "too many requests", exchange, error)
        except RejectedError as error:
            return self._refusal(503, "the rate limit cannot be checked", exchange, error)
        return None

    def leave(self, exchange: Exchange, head: AnswerHead) -> None:
        """Leave the answer as it is."""

    def _refusal(self, status: int, why: str, exchange: Exchange, error: RejectedError) -> Reply:
        wait = b"%d" % max(1, ceil(error.retry_after or 1.0))
        return problem(
            status,
            f"{why}: retry in {wait.decode()} s",
            request_id=exchange.request_id,
            fields=((b"Retry-After", wait), (b"RateLimit-Policy", self._policy)),
        )


def _key_of(settings: RateLimitSettings) -> Callable[[Exchange], str]:
    if settings.key == "header":
        name = settings.header.lower().encode()
        return lambda exchange: _bounded(exchange.head.index.get(name, b""))
    return _KEYS[settings.key]


def _of_client(exchange: Exchange) -> str:
    client = exchange.client
    return _site(client) if ":" in client else client


def _of_principal(exchange: Exchange) -> str:
    principal = exchange.principal
    if principal is None:
        return f"address:{_of_client(exchange)}"
    return f"{principal.by}:{_bounded(principal.name.encode())}"


def _of_route(exchange: Exchange) -> str:
    del exchange
    return ""


_KEYS: dict[str, Callable[[Exchange], str]] = {
    "client": _of_client,
    "principal": _of_principal,
    "route": _of_route,
}


@lru_cache(maxsize=4_096)
def _site(client: str) -> str:
    """Return the /64 of an IPv6 address; what is none stands for itself."""
    try:
        address = IPv6Address(client.partition("%")[0])
    except ValueError:
        return client
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else f"{int(address) >> _SITE:x}/{_SITE}"


def _bounded(value: bytes) -> str:
    """Return a key of bounded size: a client chooses how long a field is."""
    if len(value) <= _LONGEST:
        return value.decode("latin-1")
    return blake2b(value, digest_size=16).hexdigest()
