"""One gateway, whole, as `gateway.toml` says it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from loadpath.gateway.settings.bounds import Name, Part
from loadpath.gateway.settings.filters import ApiKeysSettings, JwtSettings, Redis
from loadpath.gateway.settings.listening import (
    Admin,
    ClientLimits,
    ClientTimeouts,
    Listener,
    Log,
    Network,
)
from loadpath.gateway.settings.routes import Route
from loadpath.gateway.settings.upstreams import UpstreamSettings


class GatewaySettings(Part, frozen=True):
    """Configure one gateway.

    Attributes:
        listeners: Where clients connect.
        workers: Processes that serve them.
        trusted_proxies: Networks whose `X-Forwarded-*` and `Forwarded` are believed.
        limits: What a client may send.
        timeouts: How long it may take.
        admin: The admin API; none without it.
        log: The access log.
        redis: Where shared counts are kept.
        jwt: Issuers by name.
        api_keys: API keys.
        upstreams: Services by name.
        routes: Which requests go where.
    """

    listeners: Annotated[tuple[Listener, ...], Meta(min_length=1)] = (Listener(),)
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    trusted_proxies: tuple[Network, ...] = ()
    limits: ClientLimits = ClientLimits()
    timeouts: ClientTimeouts = ClientTimeouts()
    admin: Admin | None = Admin()
    log: Log = Log()
    redis: Redis | None = None
    jwt: dict[Name, JwtSettings] = msgspec.field(default_factory=dict)
    api_keys: ApiKeysSettings = ApiKeysSettings()
    upstreams: dict[Name, UpstreamSettings] = msgspec.field(default_factory=dict)
    routes: tuple[Route, ...] = ()
