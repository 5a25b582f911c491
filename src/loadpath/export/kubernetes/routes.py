"""HTTPRoutes."""

from typing import Any
from urllib.parse import urlsplit

from loadpath.export.envoy.values import duration
from loadpath.export.kubernetes.services import PORT
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Mirror, Respond, Rewrite, Route

_THOUSAND = 1_000


def http_route(route: Route, gateway: str, settings: GatewaySettings) -> dict[str, Any]:
    """Return one route."""
    rule: dict[str, Any] = {"matches": _matches(route.match)}
    filters = _filters(route)
    if filters:
        rule["filters"] = filters
    if route.targets:
        rule["backendRefs"] = [
            {"name": each.upstream, "port": PORT, "weight": each.weight} for each in route.targets
        ]
        total = settings.upstreams[route.targets[0].upstream].timeouts.total
        if total:
            rule["timeouts"] = {"request": _duration(total)}
    spec: dict[str, Any] = {"parentRefs": [{"name": gateway}]}
    if route.match.hosts:
        spec["hostnames"] = list(route.match.hosts)
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": route.name},
        "spec": spec | {"rules": [rule]},
    }


def _duration(value: float) -> str:
    """Return a time; the Gateway API's form knows no fractions (GEP-2257)."""
    thousandths = max(round(value * _THOUSAND), 1)
    return f"{thousandths}ms" if thousandths % _THOUSAND else duration(value)


def _matches(match: Match) -> list[dict[str, Any]]:
    """Return what is matched: once for each method."""
    found: dict[str, Any] = {"path": _path(match)}
    if match.headers:
        found["headers"] = [_header(*each) for each in match.headers.items()]
    if not match.methods:
        return [found]
    return [found | {"method": each} for each in match.methods]


def _path(match: Match) -> dict[str, str]:
    if match.exact is not None:
        return {"type": "Exact", "value": match.exact}
    if match.regex is not None:
        return {"type": "RegularExpression", "value": f"^(?:{match.regex})$"}
    return {"type": "PathPrefix", "value": (match.prefix or "").rstrip("/") or "/"}


def _header(name: str, value: str) -> dict[str, str]:
    if value == "*":
        return {"type": "RegularExpression", "name": name, "value": ".*"}
    return {"type": "Exact", "name": name, "value": value}


def _filters(route: Route) -> list[dict[str, Any]]:
    filters = []
    if route.request_headers != HeaderRules():
        rules = _rules(route.request_headers)
        filters.append({"type": "RequestHeaderModifier", "requestHeaderModifier": rules})
    if route.response_headers != HeaderRules():
        rules = _rules(route.response_headers)
        filters.append({"type": "ResponseHeaderModifier", "responseHeaderModifier": rules})
    if route.rewrite != Rewrite():
        filters.append({"type": "URLRewrite", "urlRewrite": _rewrite(route.rewrite)})
    if route.mirror is not None:
        filters.append({"type": "RequestMirror", "requestMirror": _mirror(route.mirror)})
    if route.respond is not None:
        filters.append({"type": "RequestRedirect", "requestRedirect": _redirect(route.respond)})
    return filters


def _rules(rules: HeaderRules) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rules.set:
        found["set"] = [{"name": name, "value": value} for name, value in rules.set.items()]
    if rules.remove:
        found["remove"] = list(rules.remove)
    return found


def _rewrite(rewrite: Rewrite) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rewrite.host is not None:
        found["hostname"] = rewrite.host
    if rewrite.prefix is not None:
        found["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": rewrite.prefix}
    elif rewrite.path is not None:
        found["path"] = {"type": "ReplaceFullPath", "replaceFullPath": rewrite.path}
    return found


def _mirror(mirror: Mirror) -> dict[str, Any]:
    found: dict[str, Any] = {"backendRef": {"name": mirror.upstream, "port": PORT}}
    if mirror.share < 1:
        share = round(mirror.share * _THOUSAND)
        found["fraction"] = {"numerator": share, "denominator": _THOUSAND}
    return found


def _redirect(respond: Respond) -> dict[str, Any]:
    url = urlsplit(respond.location)
    found: dict[str, Any] = {"statusCode": respond.status}
    if url.hostname:
        found |= {"scheme": url.scheme, "hostname": url.hostname}
    if url.port:
        found["port"] = url.port
    if url.path:
        found["path"] = {"type": "ReplaceFullPath", "replaceFullPath": url.path}
    return found
