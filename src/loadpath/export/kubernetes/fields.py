"""What becomes of each field of gateway.toml in Kubernetes: Services and the Gateway API."""

from typing import Final

from loadpath.export.fates import USED, Fate, meaningless, refused

_CLASS = "each kind of Gateway sets it in its own way"
_THERE = "remove it and set it there, or run the gateway itself as pods"

FATES: Final[dict[str, Fate]] = {
    "listeners[].host": meaningless("a Gateway gets its address from its class"),
    "listeners[].port": USED,
    "listeners[].tls": refused(
        "a Gateway takes certificates from Secrets", "remove it and name the Secret in the Gateway"
    ),
    "workers": meaningless("how many pods serve is up to the Gateway's class"),
    "trusted_proxies": refused(_CLASS, _THERE),
    "limits": refused(_CLASS, _THERE),
    "timeouts": refused(_CLASS, _THERE),
    "admin": meaningless("the admin API is the gateway's own"),
    "log": meaningless("where logs go is up to the Gateway's class"),
    "redis": meaningless("only shared limits use it, and they are refused"),
    "jwt": meaningless("only `authorise` uses it, and it is refused"),
    "api_keys": meaningless("only `authorise` uses it, and it is refused"),
    "upstreams.*.endpoints[].address": USED,
    "upstreams.*.endpoints[].weight": refused(
        "the endpoints of a Service are equal", "make upstreams of them and weigh the targets"
    ),
    "upstreams.*.endpoints[].backup": refused("a Service has no backups", "remove it"),
    "upstreams.*.endpoints[].zone": USED,
    "upstreams.*.discovery": refused(
        "a Service finds pods by labels", "list `endpoints`, or write a selector into the Service"
    ),
    "upstreams.*.policy": refused(_CLASS, _THERE),
    "upstreams.*.hash": refused(_CLASS, _THERE),
    "upstreams.*.health": refused("pods are checked by their own probes", "write readiness probes"),
    "upstreams.*.passive": refused(_CLASS, _THERE),
    "upstreams.*.breaker": refused(_CLASS, _THERE),
    "upstreams.*.timeouts.connect": refused(_CLASS, _THERE),
    "upstreams.*.timeouts.send": refused(_CLASS, _THERE),
    "upstreams.*.timeouts.read": refused(_CLASS, _THERE),
    "upstreams.*.timeouts.total": USED,
    "upstreams.*.retries": refused("it is not in the standard channel yet", _THERE),
    "upstreams.*.tls": USED,
    "upstreams.*.tls.ca": refused(
        "a policy takes authorities from ConfigMaps", "remove it and name the ConfigMap there"
    ),
    "upstreams.*.sticky": refused("it is not in the standard channel yet", _THERE),
    "upstreams.*.keepalive": refused(_CLASS, _THERE),
    "upstreams.*.connections": refused(_CLASS, _THERE),
    "upstreams.*.zone": USED,
    "upstreams.*.slow_start": refused(_CLASS, _THERE),
    "routes[].name": USED,
    "routes[].match": USED,
    "routes[].targets": USED,
    "routes[].static": refused("a Gateway serves no files", "serve them by pods"),
    "routes[].respond.status": USED,
    "routes[].respond.location": USED,
    "routes[].respond.body": refused("a Gateway only redirects", "answer in the service"),
    "routes[].rewrite": USED,
    "routes[].mirror": USED,
    "routes[].authorise": refused(_CLASS, _THERE),
    "routes[].addresses": refused(_CLASS, _THERE),
    "routes[].cors": refused(_CLASS, _THERE),
    "routes[].rate_limit": refused(_CLASS, _THERE),
    "routes[].compress": refused(_CLASS, _THERE),
    "routes[].request_headers": USED,
    "routes[].response_headers": USED,
    "routes[].max_body": refused(_CLASS, _THERE),
    "routes[].upgrade": refused(_CLASS, "remove it"),
}
