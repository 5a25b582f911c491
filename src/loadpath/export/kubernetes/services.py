"""Services without a selector, and the slices that say where their endpoints are."""

from collections import defaultdict
from ipaddress import ip_address
from typing import Any, Final

from loadpath.balance.endpoint import Endpoint
from loadpath.gateway.settings.upstreams import UpstreamSettings

PORT: Final = 80


def service(name: str, upstream: UpstreamSettings) -> list[dict[str, Any]]:
    """Return the Service of one upstream, its slices, and its policy for TLS."""
    spec: dict[str, Any] = {"ports": [{"name": "http", "port": PORT, "protocol": "TCP"}]}
    if upstream.zone:
        spec["trafficDistribution"] = "PreferClose"
    found = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return [found, *_slices(name, upstream), *_tls(name, upstream)]


def _slices(name: str, upstream: UpstreamSettings) -> list[dict[str, Any]]:
    """Return one slice for each family of addresses and each port."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for each in upstream.endpoints:
        at = Endpoint.parse(each.address)
        endpoint: dict[str, Any] = {"addresses": [at.host], "conditions": {"ready": True}}
        if each.zone:
            endpoint["zone"] = each.zone
        groups[f"IPv{ip_address(at.host).version}", at.port].append(endpoint)
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{place}",
                "labels": {
                    "kubernetes.io/service-name": name,
                    "endpointslice.kubernetes.io/managed-by": "loadpath",
                },
            },
            "addressType": family,
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": endpoints,
        }
        for place, ((family, port), endpoints) in enumerate(groups.items())
    ]


def _tls(name: str, upstream: UpstreamSettings) -> list[dict[str, Any]]:
    tls = upstream.tls
    if tls is None:
        return []
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "BackendTLSPolicy",
            "metadata": {"name": name},
            "spec": {
                "targetRefs": [{"group": "", "kind": "Service", "name": name}],
                "validation": {"wellKnownCACertificates": "System", "hostname": tls.server_name},
            },
        }
    ]
