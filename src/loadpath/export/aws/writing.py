"""Two ways to AWS, in YAML for its load balancer controller, each called what it is.

The NLB passes TCP to the pods of the gateway itself, which then does all that its settings say. The
ALB takes its place: it routes HTTP by itself, so what it cannot do is refused.

Guide: chapter 3, "AWS 로드 밸런싱".

Source: the annotations of the AWS Load Balancer Controller (v2).
"""

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from loadpath.balance.endpoint import Endpoint
from loadpath.export.aws.refusing import refused_by_aws
from loadpath.export.documents import to_yaml
from loadpath.export.fates import demand_expressible
from loadpath.export.order import in_order
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Respond, Route
from loadpath.gateway.settings.upstreams import HealthCheck, UpstreamSettings

NLB: Final = "loadpath-gateway-nlb"
ALB: Final = "loadpath-gateway-alb"
_PORT: Final = 80
_SERVICE: Final = "service.beta.kubernetes.io/aws-load-balancer-"
_INGRESS: Final = "alb.ingress.kubernetes.io/"
_ALGORITHMS: Final = {
    "round_robin": "round_robin",
    "least_connections": "least_outstanding_requests",
}


def to_aws(settings: GatewaySettings) -> str:
    """Return a Service for an NLB, and an Ingress for an ALB with the Services behind it.

    Raises:
        NotExpressibleError: The ALB cannot do all of it; names every such setting.
    """
    demand_expressible("aws", refused_by_aws(settings))
    services = [_service(name, each, settings) for name, each in settings.upstreams.items()]
    return to_yaml([_nlb(settings), *services, _alb(settings)])


def _nlb(settings: GatewaySettings) -> dict[str, Any]:
    ports = dict.fromkeys(each.port for each in settings.listeners)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": NLB,
            "annotations": {
                f"{_SERVICE}scheme": "internet-facing",
                f"{_SERVICE}nlb-target-type": "ip",
            },
        },
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "service.k8s.aws/nlb",
            "selector": {"app": "loadpath-gateway"},
            "ports": [
                {"name": f"tcp-{port}", "port": port, "targetPort": port, "protocol": "TCP"}
                for port in ports
            ],
        },
    }


def _service(name: str, upstream: UpstreamSettings, settings: GatewaySettings) -> dict[str, Any]:
    annotations = {f"{_INGRESS}target-group-attributes": _attributes(upstream, settings)}
    if upstream.health is not None:
        annotations |= _health(upstream.health)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": name},
            "ports": [
                {
                    "name": "http",
                    "port": _PORT,
                    "targetPort": Endpoint.parse(upstream.endpoints[0].address).port,
                    "protocol": "TCP",
                }
            ],
        },
    }


def _attributes(upstream: UpstreamSettings, settings: GatewaySettings) -> str:
    attributes = {
        "load_balancing.algorithm.type": _ALGORITHMS[upstream.policy],
        "deregistration_delay.timeout_seconds": str(int(settings.timeouts.drain)),
    }
    if upstream.slow_start:
        attributes["slow_start.duration_seconds"] = str(int(upstream.slow_start))
    if upstream.sticky is not None:
        attributes |= {
            "stickiness.enabled": "true",
            "stickiness.type": "app_cookie",
            "stickiness.app_cookie.cookie_name": upstream.sticky.cookie,
            "stickiness.app_cookie.duration_seconds": str(upstream.sticky.max_age),
        }
    return ",".join(f"{name}={value}" for name, value in attributes.items())


def _health(health: HealthCheck) -> dict[str, str]:
    return {
        f"{_INGRESS}healthcheck-path": health.path,
        f"{_INGRESS}healthcheck-interval-seconds": str(int(health.interval)),
        f"{_INGRESS}healthcheck-timeout-seconds": str(int(health.timeout)),
        f"{_INGRESS}healthy-threshold-count": str(health.rise),
        f"{_INGRESS}unhealthy-threshold-count": str(health.fall),
        f"{_INGRESS}success-codes": ",".join(map(str, health.status)) or "200-399",
    }


def _alb(settings: GatewaySettings) -> dict[str, Any]:
    ports = dict.fromkeys(each.port for each in settings.listeners)
    annotations = {
        f"{_INGRESS}scheme": "internet-facing",
        f"{_INGRESS}target-type": "ip",
        f"{_INGRESS}listen-ports": _json([{"HTTP": port} for port in ports]),
        f"{_INGRESS}load-balancer-attributes": (
            f"idle_timeout.timeout_seconds={int(settings.timeouts.idle)}"
        ),
    }
    for route in settings.routes:
        annotations[f"{_INGRESS}actions.{route.name}"] = _json(_action(route))
        conditions = _conditions(route.match)
        if conditions:
            annotations[f"{_INGRESS}conditions.{route.name}"] = _json(conditions)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": ALB, "annotations": annotations},
        "spec": {"ingressClassName": "alb", "rules": _rules(settings)},
    }


def _rules(settings: GatewaySettings) -> list[dict[str, Any]]:
    """Return a rule for each route at each host, in the order in which they are tried."""
    rules = []
    for host, _, route in in_order(settings.routes):
        match = route.match
        path = {
            "path": match.exact or (match.prefix or "").rstrip("/") or "/",
            "pathType": "Prefix" if match.exact is None else "Exact",
            "backend": {"service": {"name": route.name, "port": {"name": "use-annotation"}}},
        }
        rule: dict[str, Any] = {"host": host} if host else {}
        rules.append(rule | {"http": {"paths": [path]}})
    return rules


def _conditions(match: Match) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = []
    if match.methods:
        methods = {"values": list(match.methods)}
        conditions.append({"field": "http-request-method", "httpRequestMethodConfig": methods})
    for name, value in match.headers.items():
        config = {"httpHeaderName": name, "values": [value]}
        conditions.append({"field": "http-header", "httpHeaderConfig": config})
    return conditions


def _action(route: Route) -> dict[str, Any]:
    if route.respond is not None:
        return _answer(route.respond)
    groups = [
        {"serviceName": each.upstream, "servicePort": _PORT, "weight": each.weight}
        for each in route.targets
    ]
    return {"type": "forward", "forwardConfig": {"targetGroups": groups}}


def _answer(respond: Respond) -> dict[str, Any]:
    if not respond.location:
        fixed = {"contentType": "text/plain", "statusCode": str(respond.status)}
        if respond.body:
            fixed["messageBody"] = respond.body
        return {"type": "fixed-response", "fixedResponseConfig": fixed}
    url = urlsplit(respond.location)
    redirect = {"statusCode": f"HTTP_{respond.status}"}
    if url.hostname:
        redirect |= {"protocol": url.scheme.upper(), "host": url.hostname}
        redirect["port"] = str(url.port or {"http": 80, "https": 443}[url.scheme])
    redirect["path"] = url.path or "/"
    redirect["query"] = url.query
    return {"type": "redirect", "redirectConfig": redirect}


def _json(document: Any) -> str:
    return msgspec.json.encode(document).decode()
