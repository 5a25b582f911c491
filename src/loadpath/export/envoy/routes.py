"""Routes in virtual hosts.

Envoy chooses the virtual host by name and then looks no further, so each one holds the routes of
the wildcards and of all hosts behind its own.
"""

import re
from typing import Any, Final

from loadpath.export.envoy.values import duration, formatted, network, typed
from loadpath.export.hosts import hosts_for, server_names
from loadpath.export.order import in_order
from loadpath.gateway.settings.filters import Addresses, Cors, HeaderRules, RateLimitSettings
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Rewrite, Route
from loadpath.gateway.settings.upstreams import HashKey, UpstreamSettings

_SAFE: Final = "GET|HEAD|OPTIONS|TRACE|PUT|DELETE"
_MILLION: Final = 1_000_000
_UPGRADE: Final[dict[str, Any]] = {
    "name": "upgrade",
    "string_match": {"exact": "websocket", "ignore_case": True},
}


def virtual_hosts(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return a virtual host for each name, the one for all others last."""
    first, *names = server_names(settings)
    entries = in_order(settings.routes)
    hosts = []
    for name in [*names, first]:
        tried = set(hosts_for(settings, name))
        routes = [each.route for each in entries if each.host in tried]
        found = [message for each in routes for message in _messages(each, settings)]
        hosts.append({"name": name or "others", "domains": [name or "*"], "routes": found})
    return hosts


def _messages(route: Route, settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return a route, and before it one for its tunnels, which may be silent for longer."""
    plain = _message(route, settings, tunnel=False)
    if not route.targets or not route.upgrade:
        return [plain]
    return [_message(route, settings, tunnel=True), plain]


def _message(route: Route, settings: GatewaySettings, *, tunnel: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": route.name, "match": _match(route.match, tunnel=tunnel)}
    found |= _header_rules("request", route.request_headers)
    found |= _header_rules("response", route.response_headers)
    filters = _filters(route)
    if filters:
        found["typed_per_filter_config"] = filters
    if route.respond is None:
        return found | {"route": _action(route, settings, tunnel=tunnel)}
    respond = route.respond
    answer: dict[str, Any] = {"status": respond.status}
    if respond.body:
        answer["body"] = {"inline_string": respond.body}
    if respond.location:
        found.setdefault("response_headers_to_add", []).append(_set("Location", respond.location))
    return found | {"direct_response": answer}


def _match(match: Match, *, tunnel: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    prefix = (match.prefix or "").rstrip("/")
    if match.exact is not None:
        found["path"] = match.exact
    elif match.regex is not None:
        found["safe_regex"] = {"regex": match.regex}
    elif prefix:
        found["path_separated_prefix"] = prefix
    else:
        found["prefix"] = "/"
    headers: list[dict[str, Any]] = [_UPGRADE] if tunnel else []
    if match.methods:
        pattern = "|".join(map(re.escape, match.methods))
        headers.append({"name": ":method", "string_match": {"safe_regex": {"regex": pattern}}})
    for name, value in match.headers.items():
        headers.append({"name": name, **_header_test(value)})
    return found | ({"headers": headers} if headers else {})


def _header_test(value: str) -> dict[str, Any]:
    return {"present_match": True} if value == "*" else {"string_match": {"exact": value}}


def _header_rules(which: str, rules: HeaderRules) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rules.set:
        found[f"{which}_headers_to_add"] = [_set(*each) for each in rules.set.items()]
    if rules.remove:
        found[f"{which}_headers_to_remove"] = list(rules.remove)
    return found


def _set(name: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": name, "value": formatted(value)},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _action(route: Route, settings: GatewaySettings, *, tunnel: bool) -> dict[str, Any]:
    targets = [each for each in route.targets if each.weight]
    upstream = settings.upstreams[targets[0].upstream]
    waits = upstream.timeouts
    action: dict[str, Any] = {}
    if len(targets) == 1:
        action["cluster"] = targets[0].upstream
    else:
        shares = [{"name": each.upstream, "weight": each.weight} for each in targets]
        action["weighted_clusters"] = {"clusters": shares}
    action["timeout"] = duration(waits.total)
    action["idle_timeout"] = duration(settings.timeouts.tunnel if tunnel else waits.read)
    if upstream.policy in ("ketama", "maglev"):
        action["hash_policy"] = [_hash(upstream.hash)]
    if upstream.retries.tries > 1 and not tunnel:
        action["retry_policy"] = _retries(upstream)
    if tunnel:
        action["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    if route.mirror is not None:
        share = {"numerator": round(route.mirror.share * _MILLION), "denominator": "MILLION"}
        policy = {"cluster": route.mirror.upstream, "runtime_fraction": {"default_value": share}}
        action["request_mirror_policies"] = [policy]
    return action | _rewrite(route.match, route.rewrite)


def _retries(upstream: UpstreamSettings) -> dict[str, Any]:
    methods = {"name": ":method", "string_match": {"safe_regex": {"regex": _SAFE}}}
    return {
        "retry_on": "connect-failure,refused-stream,reset,gateway-error",
        "num_retries": upstream.retries.tries - 1,
        "retriable_request_headers": [methods],
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": typed(
                    "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                ),
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }


def _hash(key: HashKey) -> dict[str, Any]:
    if key.source == "header":
        return {"header": {"header_name": key.name}}
    if key.source == "cookie":
        return {"cookie": {"name": key.name}}
    return {"connection_properties": {"source_ip": True}}


def _rewrite(match: Match, rewrite: Rewrite) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rewrite.prefix is not None:
        there = rewrite.prefix.rstrip("/")
        here = re.escape((match.prefix or "").rstrip("/"))
        if there and here:
            found["prefix_rewrite"] = there
        else:
            found["regex_rewrite"] = _replaced(f"^{here}/?", f"{_literal(there)}/")
    elif rewrite.path is not None and match.regex is not None:
        found["regex_rewrite"] = _replaced(f"^(?:{match.regex})$", rewrite.path)
    elif rewrite.path is not None:
        found["regex_rewrite"] = _replaced("^.*$", _literal(rewrite.path))
    if rewrite.host is not None:
        found["host_rewrite_literal"] = rewrite.host
    return found


def _replaced(pattern: str, there: str) -> dict[str, Any]:
    return {"pattern": {"regex": pattern}, "substitution": there}


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


def _filters(route: Route) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    if route.cors is not None:
        filters["envoy.filters.http.cors"] = _cors(route.cors)
    if route.addresses != Addresses():
        filters["envoy.filters.http.rbac"] = _addresses(route.addresses)
    if route.rate_limit is not None:
        filters["envoy.filters.http.local_ratelimit"] = _limit(route.name, route.rate_limit)
    return filters


def _cors(cors: Cors) -> dict[str, Any]:
    return typed(
        "extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[
            {"prefix": ""} if each == "*" else {"exact": each} for each in cors.origins
        ],
        allow_methods=", ".join(cors.methods),
        allow_headers=", ".join(cors.headers),
        expose_headers=", ".join(cors.expose),
        max_age=str(cors.max_age),
        allow_credentials=cors.credentials,
    )


def _addresses(addresses: Addresses) -> dict[str, Any]:
    """Return one policy: an address that is allowed, and none that is denied."""
    rules: list[dict[str, Any]] = []
    if addresses.allow:
        rules.append(_any_of(addresses.allow))
    if addresses.deny:
        rules.append({"not_id": _any_of(addresses.deny)})
    policy = {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": rules}}]}
    rbac = {"rules": {"action": "ALLOW", "policies": {"addresses": policy}}}
    return typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac=rbac)


def _any_of(networks: tuple[str, ...]) -> dict[str, Any]:
    return {"or_ids": {"ids": [{"remote_ip": network(each)} for each in networks]}}


def _limit(name: str, limit: RateLimitSettings) -> dict[str, Any]:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return typed(
        "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=name,
        token_bucket={
            "max_tokens": limit.burst,
            "tokens_per_fill": limit.limit,
            "fill_interval": duration(limit.period),
        },
        filter_enabled=always,
        filter_enforced=always,
    )
