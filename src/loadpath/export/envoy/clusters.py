"""Clusters: one for each upstream."""

from ipaddress import ip_address
from typing import Any, Final

from loadpath.balance.endpoint import Endpoint
from loadpath.export.envoy.values import address, duration, typed
from loadpath.gateway.settings.upstreams import (
    EndpointSettings,
    HealthCheck,
    PassiveHealth,
    UpstreamSettings,
    UpstreamTls,
)

_POLICIES: Final = {
    "round_robin": "ROUND_ROBIN",
    "least_connections": "LEAST_REQUEST",
    "random": "RANDOM",
    "ketama": "RING_HASH",
    "maglev": "MAGLEV",
}
_SLOWLY: Final = {
    "round_robin": "round_robin_lb_config",
    "least_connections": "least_request_lb_config",
}
_MOST: Final = 1_000_000_000
_LONGER: Final = 10


def cluster(name: str, upstream: UpstreamSettings) -> dict[str, Any]:
    """Return the cluster of one upstream."""
    found: dict[str, Any] = {
        "name": name,
        "type": "STATIC" if _is_static(upstream) else "STRICT_DNS",
        "connect_timeout": duration(upstream.timeouts.connect),
        "lb_policy": _POLICIES[upstream.policy],
        "load_assignment": {"cluster_name": name, "endpoints": _localities(upstream)},
        "circuit_breakers": _bounds(upstream),
        # A few healthy endpoints get everything: what the gateway does, and nginx.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }
    if upstream.health is not None:
        found["health_checks"] = [_health(upstream.health)]
    if upstream.passive.max_fails:
        found["outlier_detection"] = _outliers(upstream.passive)
    if upstream.slow_start:
        window = {"slow_start_window": duration(upstream.slow_start)}
        found[_SLOWLY[upstream.policy]] = {"slow_start_config": window}
    if upstream.tls is not None:
        found["transport_socket"] = _tls(upstream, upstream.tls)
    return found


def _is_static(upstream: UpstreamSettings) -> bool:
    if upstream.discovery is not None:
        return False
    hosts = (Endpoint.parse(each.address).host for each in upstream.endpoints)
    return all(map(_is_address, hosts))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _localities(upstream: UpstreamSettings) -> list[dict[str, Any]]:
    """Return the endpoints; backups have a priority of their own."""
    found = upstream.discovery
    if found is not None:
        return [{"lb_endpoints": [{"endpoint": {"address": address(found.dns, found.port)}}]}]
    levels = []
    for priority, backup in enumerate((False, True)):
        endpoints = [_endpoint(each) for each in upstream.endpoints if each.backup is backup]
        if endpoints:
            levels.append({"priority": priority, "lb_endpoints": endpoints})
    return levels


def _endpoint(endpoint: EndpointSettings) -> dict[str, Any]:
    at = Endpoint.parse(endpoint.address)
    return {
        "endpoint": {"address": address(at.host, at.port)},
        "load_balancing_weight": endpoint.weight,
    }


def _bounds(upstream: UpstreamSettings) -> dict[str, Any]:
    retries = {"budget_percent": {"value": upstream.retries.budget * 100}}
    return {
        "thresholds": [
            {
                "max_connections": _MOST,
                "max_pending_requests": _MOST,
                "max_requests": _MOST,
                "retry_budget": retries,
            }
        ],
        "per_host_thresholds": [{"max_connections": upstream.connections}],
    }


def _health(health: HealthCheck) -> dict[str, Any]:
    good = [{"start": each, "end": each + 1} for each in health.status]
    return {
        "timeout": duration(health.timeout),
        "interval": duration(health.interval),
        "unhealthy_threshold": health.fall,
        "healthy_threshold": health.rise,
        "http_health_check": {
            "path": health.path,
            "expected_statuses": good or [{"start": 200, "end": 400}],
        },
    }


def _outliers(passive: PassiveHealth) -> dict[str, Any]:
    return {
        "consecutive_5xx": passive.max_fails,
        "enforcing_success_rate": 0,
        "base_ejection_time": duration(passive.fail_timeout),
        "max_ejection_time": duration(passive.fail_timeout * _LONGER),
        "max_ejection_percent": round(passive.max_ejected * 100),
    }


def _tls(upstream: UpstreamSettings, tls: UpstreamTls) -> dict[str, Any]:
    name = tls.server_name or Endpoint.parse(upstream.endpoints[0].address).host
    kind = "IP_ADDRESS" if _is_address(name) else "DNS"
    trust: dict[str, Any] = {
        "trusted_ca": {"filename": tls.ca},
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}}],
    }
    context = typed(
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni=name,
        common_tls_context={"validation_context": trust},
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
