"""What becomes of each field of gateway.toml in an Application Load Balancer."""

from typing import Final

from loadpath.export.fates import USED, Fate, meaningless, refused

_ALB = "an ALB has nothing like it"
_BEHIND = "remove it, or put the gateway itself behind the NLB"

FATES: Final[dict[str, Fate]] = {
    "listeners[].host": meaningless("a load balancer gets its address from AWS"),
    "listeners[].port": USED,
    "listeners[].tls": refused(
        "an ALB takes certificates from ACM",
        "remove it, import it there and annotate the Ingress with its ARN",
    ),
    "workers": meaningless("a load balancer has no workers"),
    "trusted_proxies": refused(_ALB, _BEHIND),
    "limits": refused("the bounds of an ALB are fixed", _BEHIND),
    "timeouts.idle": USED,
    "timeouts.head": refused(_ALB, _BEHIND),
    "timeouts.body": refused(_ALB, _BEHIND),
    "timeouts.write": refused(_ALB, _BEHIND),
    "timeouts.tunnel": refused("an ALB has one idle timeout", _BEHIND),
    "timeouts.drain": USED,
    "admin": meaningless("the admin API is the gateway's own"),
    "log": meaningless("an ALB writes its access log to S3, if anywhere"),
    "redis": meaningless("only shared limits use it, and they are refused"),
    "jwt": meaningless("only `authorise` uses it, and it is refused"),
    "api_keys": meaningless("only `authorise` uses it, and it is refused"),
    "upstreams.*.endpoints[].address": USED,
    "upstreams.*.endpoints[].weight": refused("pods are equal", "weigh the targets of a route"),
    "upstreams.*.endpoints[].backup": refused("an ALB has no backups", "remove it"),
    "upstreams.*.endpoints[].zone": meaningless("pods tell their zone themselves"),
    "upstreams.*.discovery": refused(
        "the pods are found by their label `app`", "list one endpoint, for its port"
    ),
    "upstreams.*.policy": USED,
    "upstreams.*.hash": refused(_ALB, "use `sticky`"),
    "upstreams.*.health": USED,
    "upstreams.*.passive": refused("an ALB trusts its checks alone", _BEHIND),
    "upstreams.*.breaker": refused(_ALB, _BEHIND),
    "upstreams.*.timeouts": refused("an ALB has one idle timeout", _BEHIND),
    "upstreams.*.retries": refused("an ALB repeats nothing by rule", _BEHIND),
    "upstreams.*.tls": refused("an ALB trusts any certificate of a target", _BEHIND),
    "upstreams.*.sticky.cookie": USED,
    "upstreams.*.sticky.max_age": USED,
    "upstreams.*.keepalive": refused(_ALB, _BEHIND),
    "upstreams.*.connections": refused(_ALB, _BEHIND),
    "upstreams.*.zone": refused("an ALB serves all its zones", _BEHIND),
    "upstreams.*.slow_start": USED,
    "routes[].name": USED,
    "routes[].match": USED,
    "routes[].match.regex": refused("an ALB matches `*` and `?`, no patterns", _BEHIND),
    "routes[].targets": USED,
    "routes[].static": refused("an ALB serves no files", "serve them from S3 by CloudFront"),
    "routes[].respond": USED,
    "routes[].rewrite": refused("an Ingress has no form for it", _BEHIND),
    "routes[].mirror": refused(_ALB, _BEHIND),
    "routes[].authorise": refused("roles and claims are not checked there", _BEHIND),
    "routes[].addresses": refused("an ALB has one list for all routes", _BEHIND),
    "routes[].cors": refused(_ALB, _BEHIND),
    "routes[].rate_limit": refused("an ALB leaves it to WAF", _BEHIND),
    "routes[].compress": refused(_ALB, _BEHIND),
    "routes[].request_headers": refused(_ALB, _BEHIND),
    "routes[].response_headers": refused(_ALB, _BEHIND),
    "routes[].max_body": refused("the bounds of an ALB are fixed", _BEHIND),
    "routes[].upgrade": refused("an ALB always lets WebSocket through", "remove it"),
}
