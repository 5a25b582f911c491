"""Upstream blocks: one balancing method each, weights, passive health, kept connections."""

from loadpath.export.nginx.quoting import block, quoted, seconds
from loadpath.export.nginx.variables import hash_variable
from loadpath.gateway.settings.upstreams import EndpointSettings, UpstreamSettings


def upstream_block(name: str, upstream: UpstreamSettings) -> list[str]:
    """Return the block of one upstream.

    The zone makes all workers count failures, connections and turns together.
    """
    lines = [
        f"zone {quoted(name)} 256k;",
        *_method(upstream),
        *(_server(each, upstream) for each in upstream.endpoints),
        *_sticky(upstream),
        f"keepalive {upstream.keepalive * len(upstream.endpoints)};",
    ]
    return block(f"upstream {quoted(name)}", lines)


def _method(upstream: UpstreamSettings) -> list[str]:
    if upstream.policy == "ketama":
        return [f"hash {hash_variable(upstream.hash)} consistent;"]
    methods = {"least_connections": "least_conn;", "random": "random;", "ip_hash": "ip_hash;"}
    return [methods[upstream.policy]] if upstream.policy in methods else []


def _server(endpoint: EndpointSettings, upstream: UpstreamSettings) -> str:
    passive = upstream.passive
    words = [
        f"server {quoted(endpoint.address)}",
        f"weight={endpoint.weight}",
        f"max_conns={upstream.connections}",
        f"max_fails={passive.max_fails}",
        f"fail_timeout={seconds(passive.fail_timeout)}",
    ]
    return " ".join([*words, "backup;"] if endpoint.backup else words).removesuffix(";") + ";"


def _sticky(upstream: UpstreamSettings) -> list[str]:
    sticky = upstream.sticky
    if sticky is None:
        return []
    lives = f" expires={sticky.max_age}s" if sticky.max_age else ""
    return [f"sticky cookie {quoted(sticky.cookie)}{lives} path=/ httponly;"]
