"""The one call path that library and gateway share, and the transports over it.

Guide: chapter 1, "마이크로서비스 아키텍처 패턴" (circuit breaker; loose coupling: parts are handed
in), and chapter 3, "고급 로드 밸런싱 전략" (load balancing).
"""

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
from loadpath.upstream.resolvers.resolver import Resolver
from loadpath.upstream.resolvers.static import StaticResolver
from loadpath.upstream.response import Answer, Response
from loadpath.upstream.snapshot import EndpointSnapshot, UpstreamSnapshot
from loadpath.upstream.upstream import Upstream

__all__ = [
    "Answer",
    "AttemptFailed",
    "EndpointSnapshot",
    "EndpointsChanged",
    "ExtraMissingError",
    "ResolveError",
    "ResolveFailed",
    "Resolver",
    "Response",
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
