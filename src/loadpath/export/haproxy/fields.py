"""What becomes of each field of gateway.toml in HAProxy."""

from typing import Final

from loadpath.export.fates import USED, Fate, meaningless, refused

FATES: Final[dict[str, Fate]] = {
    "listeners": USED,
    "listeners[].tls[].names": refused(
        "HAProxy takes the names that certificates carry", "remove them"
    ),
    "workers": USED,
    "trusted_proxies": refused(
        "HAProxy takes one address of X-Forwarded-For, whoever wrote it",
        "remove it and let the proxy before it speak the PROXY protocol",
    ),
    "limits": USED,
    "limits.request_line": refused("HAProxy bounds the whole head", "remove it, use `limits.head`"),
    "timeouts": USED,
    "admin": meaningless("the admin API is the gateway's own"),
    "log": USED,
    "redis": meaningless("only shared limits use it, and they are refused"),
    "jwt": meaningless("only `authorise` uses it, and it is refused"),
    "api_keys": meaningless("only `authorise` uses it, and it is refused"),
    "upstreams": USED,
    "upstreams.*.discovery": refused("the file lists its servers", "list them as `endpoints`"),
    "upstreams.*.endpoints[].zone": refused("HAProxy knows no zones", "remove it"),
    "upstreams.*.passive.max_ejected": refused(
        "HAProxy takes out any number of servers", "remove it"
    ),
    "upstreams.*.breaker": refused("HAProxy has no circuit breaker", "rely on `passive`"),
    "upstreams.*.timeouts.total": refused(
        "HAProxy bounds each wait, not their sum", "remove it and bound `read`"
    ),
    "upstreams.*.retries.budget": refused(
        "HAProxy has no retry budget", "remove it, lower `tries`"
    ),
    "upstreams.*.zone": refused("HAProxy knows no zones", "remove it"),
    "routes": USED,
    "routes[].static": refused("HAProxy serves no files", "serve them by nginx or the gateway"),
    "routes[].mirror": refused("HAProxy copies requests only through an agent", "remove it"),
    "routes[].authorise": refused(
        "roles, claims and hashed keys are not checked there", "check in the service"
    ),
    "routes[].cors": refused("HAProxy has no CORS of its own", "answer it in the service"),
    "routes[].rate_limit.shared": refused(
        "HAProxy counts in its own memory", "remove it: all its threads count together"
    ),
    "routes[].compress": refused(
        "HAProxy compresses whole backends, not routes", "compress in the service"
    ),
}
