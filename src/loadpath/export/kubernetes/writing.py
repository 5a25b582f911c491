"""The settings of a gateway as objects of Kubernetes, in YAML.

Source: Kubernetes' Service and EndpointSlice; the Gateway API v1 (standard channel).
"""

from typing import Any, Final

from loadpath.export.documents import to_yaml
from loadpath.export.fates import demand_expressible
from loadpath.export.kubernetes.refusing import refused_by_kubernetes
from loadpath.export.kubernetes.routes import http_route
from loadpath.export.kubernetes.services import service
from loadpath.gateway.settings.gateway import GatewaySettings

GATEWAY: Final = "loadpath"


def to_kubernetes(settings: GatewaySettings, *, gateway_class: str = "nginx") -> str:
    """Return Services, EndpointSlices, a Gateway and its HTTPRoutes that do what settings say.

    Args:
        settings: The settings.
        gateway_class: Name of the GatewayClass that serves them; NGINX Gateway Fabric's is `nginx`.

    Raises:
        NotExpressibleError: They cannot do all of it; names every such setting.
    """
    demand_expressible("kubernetes", refused_by_kubernetes(settings))
    documents: list[dict[str, Any]] = []
    for name, upstream in settings.upstreams.items():
        documents += service(name, upstream)
    documents.append(_gateway(settings, gateway_class))
    documents += [http_route(each, GATEWAY, settings) for each in settings.routes]
    return to_yaml(documents)


def _gateway(settings: GatewaySettings, gateway_class: str) -> dict[str, Any]:
    ports = dict.fromkeys(each.port for each in settings.listeners)
    listeners = [{"name": f"http-{port}", "protocol": "HTTP", "port": port} for port in ports]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY},
        "spec": {"gatewayClassName": gateway_class, "listeners": listeners},
    }
