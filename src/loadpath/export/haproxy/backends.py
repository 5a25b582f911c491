"""Backends: one for each upstream, with its method, checks, retries and servers."""

from typing import Final
from zlib import crc32

from loadpath.balance.endpoint import Endpoint
from loadpath.export.haproxy.quoting import milliseconds, quoted
from loadpath.gateway.settings.upstreams import (
    EndpointSettings,
    HashKey,
    HealthCheck,
    UpstreamSettings,
)

_METHODS: Final = {
    "round_robin": "roundrobin",
    "least_connections": "leastconn",
    "random": "random(1)",
}
_BY_HASH: Final = ("ip_hash", "ketama")
_NETWORK: Final = "src,ipmask(24,128)"
"""What `ip_hash` hashes, here as in nginx: three bytes of IPv4, all of IPv6."""


def backend(name: str, upstream: UpstreamSettings) -> list[str]:
    """Return the section of one upstream."""
    lines = [
        *_method(upstream),
        f"timeout connect {milliseconds(upstream.timeouts.connect)}",
        f"timeout server {milliseconds(upstream.timeouts.read)}",
        f"timeout queue {milliseconds(upstream.timeouts.connect)}",
        "http-reuse safe",
        *_retries(upstream.retries.tries),
        *_checks(upstream.health),
        *_sticky(upstream),
        *(_server(place, each, upstream) for place, each in enumerate(upstream.endpoints)),
    ]
    return [f"backend {name}", *(f"    {line}" for line in lines)]


def hash_expression(key: HashKey) -> str:
    """Return what a policy by hash hashes."""
    if key.source == "header":
        return f"req.hdr({key.name})"
    if key.source == "cookie":
        return f"req.cook({key.name})"
    return "src" if key.source == "client" else "path"


def _method(upstream: UpstreamSettings) -> list[str]:
    if upstream.policy in _BY_HASH:
        key = _NETWORK if upstream.policy == "ip_hash" else hash_expression(upstream.hash)
        return [f"balance hash {key}", "hash-type consistent sdbm avalanche"]
    return [f"balance {_METHODS[upstream.policy]}"]


def _retries(tries: int) -> list[str]:
    if tries == 1:
        return ["retries 0"]
    return [
        "option redispatch 1",
        f"retries {tries - 1}",
        "retry-on conn-failure empty-response response-timeout 502 503 504",
        "http-request disable-l7-retry if !METH_GET !{ method HEAD OPTIONS TRACE PUT DELETE }",
    ]


def _checks(health: HealthCheck | None) -> list[str]:
    if health is None:
        return []
    good = ",".join(map(str, health.status)) or "200-399"
    return [
        "option httpchk",
        f"http-check send meth GET uri {quoted(health.path)} ver HTTP/1.1 hdr Host health",
        f"http-check expect status {good}",
        f"timeout check {milliseconds(health.timeout)}",
    ]


def _sticky(upstream: UpstreamSettings) -> list[str]:
    sticky = upstream.sticky
    if sticky is None:
        return []
    lives = f' attr "Max-Age={sticky.max_age}"' if sticky.max_age else ""
    return [f"cookie {quoted(sticky.cookie)} insert indirect nocache httponly{lives}"]


def _server(place: int, endpoint: EndpointSettings, upstream: UpstreamSettings) -> str:
    words = [
        f"server e{place} {quoted(endpoint.address)} weight {endpoint.weight}",
        *([f"id {_identity(endpoint.address)}"] if upstream.policy in _BY_HASH else []),
        f"maxconn {upstream.connections} pool-max-conn {upstream.keepalive}",
        *_health(upstream),
    ]
    if upstream.slow_start:
        words.append(f"slowstart {milliseconds(upstream.slow_start)}")
    if upstream.sticky is not None:
        words.append(f"cookie e{place}")
    if upstream.tls is not None:
        name = upstream.tls.server_name or Endpoint.parse(endpoint.address).host
        trust = quoted(upstream.tls.ca) if upstream.tls.ca else "@system-ca"
        words.append(f"ssl verify required ca-file {trust} sni str({name}) verifyhost {name}")
        words += [f"check-sni {name}"] if _is_checked(upstream) else []
    if endpoint.backup:
        words.append("backup")
    return " ".join(words)


def _identity(address: str) -> int:
    """Return a number for the ring that stays the same when other servers come or go."""
    return (crc32(address.encode()) & 0x7FFF_FFFF) or 1


def _is_checked(upstream: UpstreamSettings) -> bool:
    return upstream.health is not None or upstream.passive.max_fails > 0


def _health(upstream: UpstreamSettings) -> list[str]:
    """Return how a server is checked; without checks a failed one is tried after its time."""
    health, passive = upstream.health, upstream.passive
    words = []
    if health is not None:
        inter = milliseconds(health.interval)
        words.append(f"check inter {inter} fall {health.fall} rise {health.rise}")
    elif passive.max_fails:
        words.append(f"check inter {milliseconds(passive.fail_timeout)} fall 1 rise 1")
    if passive.max_fails:
        words.append(f"observe layer7 error-limit {passive.max_fails} on-error mark-down")
    return words
