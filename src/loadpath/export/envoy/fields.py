"""What becomes of each field of gateway.toml in Envoy."""

from typing import Final

from loadpath.export.fates import USED, Fate, meaningless, refused

_IN_SERVICE = "do it in the service, or run the gateway itself"

FATES: Final[dict[str, Fate]] = {
    "listeners": USED,
    "listeners[].tls[].names": refused(
        "Envoy takes the names that certificates carry", "remove them"
    ),
    "workers": refused("Envoy takes it from its command line", "remove it, give --concurrency"),
    "trusted_proxies": USED,
    "limits": USED,
    "limits.request_line": refused("Envoy bounds the whole head", "remove it, use `limits.head`"),
    "limits.body": refused("Envoy bounds only bodies that it keeps whole", _IN_SERVICE),
    "timeouts": USED,
    "timeouts.body": refused("Envoy bounds silence of both sides together", "remove it"),
    "timeouts.write": refused("Envoy bounds silence of both sides together", "remove it"),
    "timeouts.drain": refused(
        "Envoy takes it from its command line", "remove it, give --drain-time-s"
    ),
    "admin": meaningless("the admin API is the gateway's own"),
    "log": USED,
    "redis": meaningless("only shared limits use it, and they are refused"),
    "jwt": meaningless("only `authorise` uses it, and it is refused"),
    "api_keys": meaningless("only `authorise` uses it, and it is refused"),
    "upstreams": USED,
    "upstreams.*.discovery.file": refused("Envoy reads files of its own form", "use `dns`"),
    "upstreams.*.endpoints[].zone": refused(
        "Envoy's zones need its own place in the command line", "remove it"
    ),
    "upstreams.*.breaker": refused(
        "what Envoy calls circuit breakers are bounds", "rely on `passive`"
    ),
    "upstreams.*.sticky": refused("it needs a filter for each cookie", "use `ketama` by cookie"),
    "upstreams.*.keepalive": refused("Envoy keeps every idle connection", "remove it"),
    "upstreams.*.zone": refused(
        "Envoy's zones need its own place in the command line", "remove it"
    ),
    "routes": USED,
    "routes[].static": refused("Envoy serves no files", "serve them by nginx or the gateway"),
    "routes[].authorise": refused("roles, claims and hashed keys have no form there", _IN_SERVICE),
    "routes[].rate_limit.shared": refused("it needs a service of its own", "remove it"),
    "routes[].rate_limit.header": refused("Envoy counts routes, not clients", 'use "route"'),
    "routes[].compress": refused("Envoy compresses listeners, not routes", _IN_SERVICE),
    "routes[].max_body": refused("Envoy bounds only bodies that it keeps whole", _IN_SERVICE),
}
