"""Behaviour of written objects of Kubernetes: the API's own schemas take them."""

from typing import Any

import jsonschema
import kubernetes_validate
import msgspec
import pytest
import yaml

from loadpath.export.aws import to_aws
from loadpath.export.kubernetes import to_kubernetes
from loadpath.gateway.settings.gateway import GatewaySettings
from tests.unit.export.documents import EVERYTHING_IN_AWS, EVERYTHING_IN_KUBERNETES
from tests.unit.export.gateway_api import SCHEMAS

RELEASE = "1.34"
SERVICE = "service.beta.kubernetes.io/aws-load-balancer-"
INGRESS = "alb.ingress.kubernetes.io/"
NLB_ANNOTATIONS = {"scheme", "nlb-target-type"}
"""From the controller's list for Services; those of a class need no `aws-load-balancer-type`."""
ALB_ANNOTATIONS = {
    "scheme",
    "target-type",
    "listen-ports",
    "load-balancer-attributes",
    "target-group-attributes",
    "healthcheck-path",
    "healthcheck-interval-seconds",
    "healthcheck-timeout-seconds",
    "healthy-threshold-count",
    "unhealthy-threshold-count",
    "success-codes",
}
"""From the controller's list for Ingresses; beside them `actions.NAME` and `conditions.NAME`."""


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a file."""
    return list(yaml.safe_load_all(text))


def in_kubernetes() -> list[dict[str, Any]]:
    """Return everything that Kubernetes can say."""
    return objects(to_kubernetes(msgspec.convert(EVERYTHING_IN_KUBERNETES, GatewaySettings)))


def in_aws() -> list[dict[str, Any]]:
    """Return everything that AWS can say."""
    return objects(to_aws(msgspec.convert(EVERYTHING_IN_AWS, GatewaySettings)))


@pytest.mark.parametrize("found", [in_kubernetes(), in_aws()], ids=["kubernetes", "aws"])
def test_the_schemas_take_every_object(found: list[dict[str, Any]]) -> None:
    """Kubernetes' own for its own kinds, the Gateway API's rules for the others."""
    for each in found:
        if each["apiVersion"].startswith("gateway."):
            jsonschema.validate(each, SCHEMAS[each["kind"]])
        else:
            kubernetes_validate.validate(each, RELEASE, strict=True)


def test_every_kind_is_there() -> None:
    """A slice for each family, and one route for each of ours."""
    kinds = [each["kind"] for each in in_kubernetes()]
    assert kinds.count("Service") == 2
    assert kinds.count("EndpointSlice") == 3
    assert kinds.count("HTTPRoute") == 3
    assert {"Gateway", "BackendTLSPolicy"} <= set(kinds)


def test_slices_belong_to_their_services() -> None:
    """By label, and by the name of the port."""
    found = in_kubernetes()
    services = {each["metadata"]["name"]: each for each in found if each["kind"] == "Service"}
    for each in found:
        if each["kind"] == "EndpointSlice":
            owner = services[each["metadata"]["labels"]["kubernetes.io/service-name"]]
            assert each["ports"][0]["name"] == owner["spec"]["ports"][0]["name"]


def test_what_is_called_nlb_is_one_and_what_is_called_alb_too() -> None:
    """The guide asks for an NLB under the title of an ALB."""
    nlb, *_, alb = in_aws()
    assert (nlb["kind"], nlb["metadata"]["name"]) == ("Service", "loadpath-gateway-nlb")
    assert nlb["spec"]["loadBalancerClass"] == "service.k8s.aws/nlb"
    assert (alb["kind"], alb["metadata"]["name"]) == ("Ingress", "loadpath-gateway-alb")
    assert alb["spec"]["ingressClassName"] == "alb"


def test_every_annotation_is_one_of_the_controllers_own() -> None:
    """A misspelt one would be ignored there, in silence."""
    for each in in_aws():
        for name in each["metadata"].get("annotations", {}):
            prefix, known = (
                (SERVICE, NLB_ANNOTATIONS)
                if name.startswith(SERVICE)
                else (INGRESS, ALB_ANNOTATIONS)
            )
            short = name.removeprefix(prefix)
            assert short in known or short.startswith(("actions.", "conditions.")), name


def test_actions_and_conditions_are_those_of_the_routes() -> None:
    """JSON in annotations, by the name of a backend."""
    alb = in_aws()[-1]
    annotations = alb["metadata"]["annotations"]
    forward = msgspec.json.decode(annotations[f"{INGRESS}actions.api"])
    groups = forward["forwardConfig"]["targetGroups"]
    assert [(each["serviceName"], each["weight"]) for each in groups] == [
        ("users", 9),
        ("canary", 1),
    ]
    fixed = msgspec.json.decode(annotations[f"{INGRESS}actions.gone"])
    assert fixed["fixedResponseConfig"]["statusCode"] == "410"
    backends = [
        path["backend"]["service"]
        for rule in alb["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert all(each["port"] == {"name": "use-annotation"} for each in backends)
    assert {each["name"] for each in backends} == {"api", "gone", "away"}
