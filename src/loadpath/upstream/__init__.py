"""The one call path that library and gateway share, and the transports over it.

Guide: chapter 1, "마이크로서비스 아키텍처 패턴" (circuit breaker; loose coupling: parts are handed
in), and chapter 3, "고급 로드 밸런싱 전략" (load balancing).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from loadpath.upstream.errors import (
    ExtraMissingError,
    ResolveError,
    UpstreamError,
    UpstreamFailedError,
    UpstreamFailedTimeoutError,
    UpstreamInDoubtError,
    UpstreamInDoubtTimeoutError,
    UpstreamUnavailableError,
    UpstreamUnavailableTimeoutError,
)
from loadpath.upstream.events import AttemptFailed, EndpointsChanged, ResolveFailed
from loadpath.upstream.resolvers.file import FileResolver
from loadpath.upstream.resolvers.postgres import PostgresResolver
from loadpath.upstream.resolvers.redis import RedisResolver
from loadpath.upstream.resolvers.resolver import Resolver
from loadpath.upstream.resolvers.static import StaticResolver
from loadpath.upstream.response import Answer, Response
from loadpath.upstream.snapshot import EndpointSnapshot, UpstreamSnapshot
from loadpath.upstream.upstream import Upstream

if TYPE_CHECKING:
    from loadpath.upstream.adapters.aiohttp import AiohttpMiddleware
    from loadpath.upstream.adapters.httpx import HttpxTransport
    from loadpath.upstream.adapters.httpx2 import Httpx2Transport
    from loadpath.upstream.resolvers.dns import DnsResolver, SrvResolver

_EXTRAS = {
    "AiohttpMiddleware": "loadpath.upstream.adapters.aiohttp",
    "DnsResolver": "loadpath.upstream.resolvers.dns",
    "Httpx2Transport": "loadpath.upstream.adapters.httpx2",
    "HttpxTransport": "loadpath.upstream.adapters.httpx",
    "SrvResolver": "loadpath.upstream.resolvers.dns",
}

__all__ = [
    "AiohttpMiddleware",
    "Answer",
    "AttemptFailed",
    "DnsResolver",
    "EndpointSnapshot",
    "EndpointsChanged",
    "ExtraMissingError",
    "FileResolver",
    "Httpx2Transport",
    "HttpxTransport",
    "PostgresResolver",
    "RedisResolver",
    "ResolveError",
    "ResolveFailed",
    "Resolver",
    "Response",
    "SrvResolver",
    "StaticResolver",
    "Upstream",
    "UpstreamError",
    "UpstreamFailedError",
    "UpstreamFailedTimeoutError",
    "UpstreamInDoubtError",
    "UpstreamInDoubtTimeoutError",
    "UpstreamSnapshot",
    "UpstreamUnavailableError",
    "UpstreamUnavailableTimeoutError",
]


def __getattr__(name: str) -> Any:
    """Import what needs an extra when it is asked for."""
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXTRAS[name]), name)
