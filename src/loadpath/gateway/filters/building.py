"""The filters of each route, in the order that a request meets them.

1. addresses: who may not even ask
2. CORS: a preflight carries no credentials, so it is answered before they are asked for
3. rate limit by address, field or route: before signatures cost anything
4. authorisation
5. rate limit by principal: once it is known
6. compression: the last to enter is the first to see the answer

What filters share (keys of issuers, counts) outlives a reload that does not change it.
"""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loadpath.core.clock import Clock
from loadpath.gateway.exchange import Filter
from loadpath.gateway.filters.addresses import AddressFilter
from loadpath.gateway.filters.apikeys import BY, ApiKeys
from loadpath.gateway.filters.authorise import Authenticator, AuthoriseFilter
from loadpath.gateway.filters.compression import CompressionFilter
from loadpath.gateway.filters.cors import CorsFilter
from loadpath.gateway.filters.errors import KeyFileError
from loadpath.gateway.filters.ratelimit import RateLimitFilter
from loadpath.gateway.settings.filters import Addresses, JwtSettings, RateLimitSettings, Redis
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Route
from loadpath.resilience import MemoryRates
from loadpath.resilience.ratelimit.store import RateStore
from loadpath.upstream.errors import ExtraMissingError

if TYPE_CHECKING:
    from loadpath.gateway.filters.jwt import Issuer
    from loadpath.gateway.filters.shared import SharedRates


class _Kept(NamedTuple):
    """Hold an issuer, and the hash of the file that its keys are from."""

    issuer: "Issuer"
    file: bytes


class FilterParts:
    """Keep what filters share, across reloads.

    Settings hold what they need from `prepare` to `release`: what serves, what is about to and what
    still ends never lose it to each other.

    Args:
        clock: Where the time comes from.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock
        self._local = MemoryRates(clock=clock)
        self._shared: dict[Redis, SharedRates] = {}
        self._issuers: dict[tuple[str, JwtSettings], _Kept] = {}
        self._held: list[GatewaySettings] = []

    async def prepare(self, settings: GatewaySettings) -> None:
        """Make what these settings need and is not there yet; files of keys are read each time.

        What it raises leaves them held, too: `release` them.

        Raises:
            KeyFileError: A file of keys cannot be used.
            ExtraMissingError: A part needs a package that is not there.
            OSError: A file cannot be read.
        """
        self._held.append(settings)
        await asyncio.to_thread(_load, settings)
        for name, each in settings.jwt.items():
            await self._make_issuer(name, each)
        if settings.redis is not None and settings.redis not in self._shared:
            self._shared[settings.redis] = _shared_rates(settings.redis, self._clock)

    async def release(self, settings: GatewaySettings) -> None:
        """Close what only these settings needed."""
        self._held.remove(settings)
        await self._close_unneeded()

    async def aclose(self) -> None:
        """Close everything."""
        self._held.clear()
        await self._close_unneeded()

    def filters_of(self, route: Route, settings: GatewaySettings) -> tuple[Filter, ...]:
        """Return the filters of a route, in order; after `prepare`."""
        limit = route.rate_limit
        filters: list[Filter | None] = [
            AddressFilter(route.addresses) if route.addresses != Addresses() else None,
            None if route.cors is None else CorsFilter(route.cors),
            self._limit(route, limit, settings, known=False),
            self._authorise(route, settings),
            self._limit(route, limit, settings, known=True),
            None if route.compress is None else CompressionFilter(route.compress),
        ]
        return tuple(each for each in filters if each is not None)

    async def _make_issuer(self, name: str, settings: JwtSettings) -> None:
        file = settings.secret_file or settings.key_file
        content = await asyncio.to_thread(Path(file).read_bytes) if file else b""
        kept, digest = self._issuers.get((name, settings)), sha256(content).digest()
        if kept is None or kept.file != digest:
            issuer = _issuer(name, settings, content, self._clock)
            self._issuers[name, settings] = _Kept(issuer, digest)

    async def _close_unneeded(self) -> None:
        issuers = {item for each in self._held for item in each.jwt.items()}
        for key in [each for each in self._issuers if each not in issuers]:
            await self._issuers.pop(key).issuer.aclose()
        servers = {each.redis for each in self._held}
        for redis in [each for each in self._shared if each not in servers]:
            await self._shared.pop(redis).aclose()

    def _limit(
        self,
        route: Route,
        limit: RateLimitSettings | None,
        settings: GatewaySettings,
        *,
        known: bool,
    ) -> Filter | None:
        if limit is None or (limit.key == "principal") is not known:
            return None
        store: RateStore = self._local
        if limit.shared and settings.redis is not None:
            store = self._shared[settings.redis]
        return RateLimitFilter(route.name, limit, store)

    def _authorise(self, route: Route, settings: GatewaySettings) -> Filter | None:
        rules = route.authorise
        if rules is None:
            return None
        ways: list[Authenticator] = [
            ApiKeys(settings.api_keys) if by == BY else self._issuers[by, settings.jwt[by]].issuer
            for by in rules.by
        ]
        return AuthoriseFilter(rules, ways)


def _load(settings: GatewaySettings) -> None:
    """Load the packages that these settings need; the first time this takes a while."""
    if settings.jwt:
        import loadpath.gateway.filters.jwt  # noqa: PLC0415 - needs an extra
    if settings.redis is not None:
        try:
            import loadpath.gateway.filters.shared  # noqa: F401, PLC0415 - needs an extra
        except ModuleNotFoundError as error:
            raise ExtraMissingError("shared rate limits", "gateway") from error
    for route in settings.routes:
        if route.compress is not None:
            CompressionFilter(route.compress)


def _issuer(name: str, settings: JwtSettings, content: bytes, clock: Clock | None) -> "Issuer":
    from loadpath.gateway.filters import keys  # noqa: PLC0415 - needs an extra
    from loadpath.gateway.filters.jwks import Jwks  # noqa: PLC0415
    from loadpath.gateway.filters.jwt import Issuer  # noqa: PLC0415

    allowed, url = settings.algorithms, settings.jwks_url
    read = keys.shared_secret if settings.secret_file else keys.public_key
    try:
        if url:
            source = Jwks(url, allowed, refresh=settings.jwks_refresh, clock=clock)
            return Issuer(name, settings, source, clock=clock)
        return Issuer(name, settings, read(content, allowed), clock=clock)
    except KeyFileError as error:
        where = url or settings.secret_file or settings.key_file
        raise KeyFileError(f"$.jwt.{name}: {where}: {error}") from error


def _shared_rates(redis: Redis, clock: Clock | None) -> "SharedRates":
    from loadpath.gateway.filters.shared import SharedRates  # noqa: PLC0415 - needs an extra

    return SharedRates(redis, clock=clock)
