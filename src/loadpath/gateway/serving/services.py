"""An upstream as settings describe it, running: the one call path with all of its parts."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from random import Random
from ssl import SSLContext, create_default_context
from typing import Any

from loadpath.balance import (
    ActiveChecker,
    Balancer,
    Endpoint,
    EndpointSet,
    HealthRules,
    HttpProbe,
    IPHash,
    Ketama,
    LeastConnections,
    LeastResponseTime,
    Maglev,
    OutlierRules,
    Policy,
    SlowStart,
    StickyCookie,
    WeightedRandom,
    WeightedRoundRobin,
)
from loadpath.gateway.exchange import Exchange
from loadpath.gateway.serving.published import PublishedSets
from loadpath.gateway.settings.upstreams import (
    Breaker,
    PassiveHealth,
    PolicyName,
    UpstreamSettings,
)
from loadpath.http import ConnectionPool, PoolLimits, Timeouts
from loadpath.resilience import BreakerPolicy, BudgetPolicy, RetryBudget, RetryPolicy
from loadpath.upstream import FileResolver, Resolver, Upstream
from loadpath.upstream.upstream import RETRY

LONGER = 10.0
"""Times its first length that an ejection may last."""

POLICIES: dict[PolicyName, Policy] = {
    "round_robin": WeightedRoundRobin,
    "least_connections": LeastConnections,
    "least_response_time": LeastResponseTime,
    "random": WeightedRandom,
    "ip_hash": IPHash,
    "ketama": partial(Ketama, layout="nginx"),
    "maglev": Maglev,
}

Key = Callable[[Exchange], str | bytes | None]


class Service:
    """Run one upstream, as an async context manager.

    Args:
        name: Its name.
        settings: What it is.
        checked: Whether it checks its endpoints itself; else somebody tells it.

    Attributes:
        name: Its name.
        settings: What it is.
        upstream: The call path.
        total: Bound of everything that a call takes (s), None for none.
        key: What a request is about, for policies by hash.
        sticky: Its cookie, None without one.
        calls: Requests under way; it is closed when a reload has replaced it and none is left.
    """

    def __init__(self, name: str, settings: UpstreamSettings, *, checked: bool) -> None:
        self.name = name
        self.settings = settings
        self.total = settings.timeouts.total or None
        self.key = key_of(settings)
        self.sticky = sticky_of(settings)
        self.calls = 0
        self._sets = None if settings.discovery else PublishedSets(endpoints_of(settings))
        tls = tls_of(settings)
        self._pool = ConnectionPool(
            limits=PoolLimits(connections=settings.connections, idle=settings.keepalive),
            tls=tls,
            timeouts=timeouts_of(settings),
        )
        balancer = balancer_of(settings)
        self.upstream = Upstream(
            name,
            self._sets or discovered(settings),
            balancer=balancer,
            checker=checker_of(settings, balancer) if checked else None,
            breaker=breaker_of(settings.breaker),
            pool=self._pool,
            retry=retry_of(settings),
            budget=RetryBudget(BudgetPolicy(share=settings.retries.budget)),
            tls=tls,
            server_name=server_name_of(settings),
        )

    async def start(self) -> None:
        """Begin: the first set of endpoints is known when it returns.

        Raises:
            ResolveError: It could not be read.
        """
        await self.upstream.__aenter__()

    async def stop(self) -> None:
        """End: whatever is under way is given up."""
        await self.upstream.__aexit__(None, None, None)
        await self._pool.aclose()

    def can_follow(self, settings: UpstreamSettings) -> bool:
        """Return whether settings differ in their endpoints only, which are swapped in place."""
        if self._sets is None or settings.discovery is not None:
            return False
        return _without_endpoints(self.settings) == _without_endpoints(settings)

    def follow(self, settings: UpstreamSettings) -> None:
        """Take over other endpoints; what is known of those that stay is kept."""
        assert self._sets is not None
        self._sets.publish(endpoints_of(settings))
        self.settings = settings


def _without_endpoints(settings: UpstreamSettings) -> dict[str, Any]:
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    fields["endpoints"] = ()
    return fields


def endpoints_of(settings: UpstreamSettings) -> EndpointSet:
    """Return the endpoints that settings name."""
    return EndpointSet(
        Endpoint(
            host=at.host,
            port=at.port,
            weight=each.weight,
            zone=each.zone,
            priority=int(each.backup),
        )
        for each in settings.endpoints
        for at in (Endpoint.parse(each.address),)
    )


def discovered(settings: UpstreamSettings) -> Resolver | Iterable[Endpoint]:
    """Return where the endpoints of an upstream are found."""
    found = settings.discovery
    if found is None:
        return endpoints_of(settings)
    if found.file:
        return FileResolver(found.file)
    from loadpath.upstream import DnsResolver  # noqa: PLC0415 - needs an extra

    return DnsResolver(found.dns, found.port)


def balancer_of(settings: UpstreamSettings) -> Balancer:
    """Return who picks an endpoint and judges health."""
    health = settings.health
    return Balancer(
        policy=POLICIES[settings.policy],
        health=None if health is None else HealthRules(fall=health.fall, rise=health.rise),
        outliers=outliers_of(settings.passive),
        slow_start=SlowStart(window=settings.slow_start) if settings.slow_start else None,
        overprovisioning=inf,
        zone=settings.zone or None,
        sticky=sticky_of(settings),
        random=Random(),  # noqa: S311 - spreads load, keeps no secret
    )


def checker_of(settings: UpstreamSettings, balancer: Balancer) -> ActiveChecker | None:
    """Return who checks the endpoints, None when settings ask for no checks."""
    health = settings.health
    if health is None:
        return None
    probe = HttpProbe(
        path=health.path,
        statuses=frozenset(health.status) or range(200, 400),
        tls=tls_of(settings),
        server_name=server_name_of(settings),
    )
    return ActiveChecker(balancer, probe, interval=health.interval, timeout=health.timeout)


def outliers_of(passive: PassiveHealth) -> OutlierRules | None:
    """Return which failures of real traffic take an endpoint out."""
    if not passive.max_fails:
        return None
    return OutlierRules(
        consecutive_errors=passive.max_fails,
        consecutive_local=passive.max_fails,
        success_rate_stdev=None,
        base_ejection=passive.fail_timeout,
        max_ejection=passive.fail_timeout * LONGER,
        max_ejected=passive.max_ejected,
    )


def breaker_of(breaker: Breaker | None) -> BreakerPolicy | None:
    """Return when an endpoint's breaker opens."""
    if breaker is None:
        return None
    return BreakerPolicy(
        failure_rate=breaker.failure_rate,
        minimum_calls=breaker.minimum_calls,
        open_for=breaker.open_for,
        half_open_calls=breaker.trial_calls,
    )


def retry_of(settings: UpstreamSettings) -> RetryPolicy:
    """Return how often a request is repeated."""
    return RetryPolicy(tries=settings.retries.tries, backoff=RETRY.backoff)


def timeouts_of(settings: UpstreamSettings) -> Timeouts:
    """Return the bounds of each wait for an endpoint."""
    waits = settings.timeouts
    return Timeouts(connect=waits.connect, pool=waits.connect, write=waits.send, read=waits.read)


def tls_of(settings: UpstreamSettings) -> SSLContext | None:
    """Return the settings of TLS to the endpoints.

    Raises:
        OSError: The file of authorities cannot be read.
    """
    if settings.tls is None:
        return None
    context = create_default_context(cafile=settings.tls.ca or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


def server_name_of(settings: UpstreamSettings) -> str | None:
    """Return the name that certificates of the endpoints must have, None for their hosts."""
    return None if settings.tls is None else settings.tls.server_name or None


def sticky_of(settings: UpstreamSettings) -> StickyCookie | None:
    """Return the cookie that keeps a client at its endpoint."""
    sticky = settings.sticky
    if sticky is None:
        return None
    return StickyCookie(name=sticky.cookie, max_age=sticky.max_age or None, secure=False)


def key_of(settings: UpstreamSettings) -> Key | None:
    """Return what a request is about, None when no policy asks."""
    if settings.policy == "ip_hash":
        return _client
    if settings.policy not in ("ketama", "maglev"):
        return None
    name = settings.hash.name.lower()
    source = settings.hash.source
    if source == "header":
        return lambda exchange: exchange.head.index.get(name.encode(), b"")
    if source == "cookie":
        return lambda exchange: _cookie(exchange, settings.hash.name)
    return _path if source == "path" else _client


def _client(exchange: Exchange) -> str:
    return exchange.client


def _path(exchange: Exchange) -> str:
    return exchange.path


def _cookie(exchange: Exchange, name: str) -> str:
    header = exchange.head.index.get(b"cookie", b"").decode("latin-1")
    return StickyCookie(name=name).read(header) or ""
