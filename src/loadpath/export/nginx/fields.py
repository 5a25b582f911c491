"""What becomes of each field of gateway.toml in nginx."""

from typing import Final

from loadpath.export.fates import USED, Fate, meaningless, refused

_OURS = "nginx has nothing like it"
_REMOVE = "remove it, or run the gateway itself"

FATES: Final[dict[str, Fate]] = {
    "listeners": USED,
    "workers": USED,
    "trusted_proxies": USED,
    "limits": USED,
    "limits.fields": refused(
        "nginx before 1.29 cannot count header fields", "remove it; `limits.head` bounds them"
    ),
    "timeouts": USED,
    "admin": meaningless("the admin API is the gateway's own"),
    "log": USED,
    "redis": meaningless("only shared limits use it, and they are refused"),
    "jwt": meaningless("only `authorise` uses it, and it is refused"),
    "api_keys": meaningless("only `authorise` uses it, and it is refused"),
    "upstreams": USED,
    "upstreams.*.discovery": refused(
        "nginx reads its endpoints from its own file", "list them as `endpoints`"
    ),
    "upstreams.*.endpoints[].zone": refused(_OURS, "remove it, or make upstreams of the zones"),
    "upstreams.*.health": refused(
        "nginx has no active checks", "remove it and rely on `passive`, or export to haproxy"
    ),
    "upstreams.*.passive.max_ejected": refused(
        "nginx takes out any number of endpoints", "remove it"
    ),
    "upstreams.*.breaker": refused("nginx has no circuit breaker", _REMOVE),
    "upstreams.*.timeouts.total": refused(
        "nginx bounds each wait, not their sum", "remove it and bound `read`"
    ),
    "upstreams.*.retries.budget": refused("nginx has no retry budget", "remove it, lower `tries`"),
    "upstreams.*.zone": refused(_OURS, "remove it, or make upstreams of the zones"),
    "upstreams.*.slow_start": refused("only the commercial nginx starts slowly", "remove it"),
    "routes": USED,
    "routes[].static.precompressed": meaningless(
        "nginx serves the plain file: the variants only save bytes"
    ),
    "routes[].authorise": refused(
        "nginx cannot verify tokens or hashed keys",
        "check in the service, or put the gateway behind nginx",
    ),
    "routes[].rate_limit.shared": refused(
        "nginx counts in its own memory", "remove it: all workers of one nginx count together"
    ),
}
