"""The OpenAPI document of the admin API. Pure.

Source: OpenAPI Specification 3.1.1; its schemas are JSON Schema 2020-12, as msgspec makes them.
"""

from http import HTTPStatus
from typing import Any

import msgspec

from loadpath import __version__
from loadpath.gateway.admin.models import GatewayStatus

_REFERENCE = "#/components/schemas/{name}"


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Tell what went wrong (RFC 9457)."""

    title: str
    status: int
    detail: str
    request_id: str = ""


class Outcome(msgspec.Struct, kw_only=True):
    """Tell what came of a change.

    Attributes:
        workers: How many workers carried it out.
    """

    workers: int


class Health(msgspec.Struct, kw_only=True):
    """Tell whether the gateway lives, or is ready."""

    status: str


def document() -> dict[str, Any]:
    """Return the document."""
    (status, outcome, health, problem), components = msgspec.json.schema_components(
        (GatewayStatus, Outcome, Health, Problem), ref_template=_REFERENCE
    )
    path = "/api/upstreams/{upstream}/endpoints/{address}"
    return {
        "openapi": "3.1.1",
        "info": {"title": "loadpath gateway", "version": __version__},
        "paths": {
            "/api/gateway": {
                "get": _get("gateway", "Tell everything of this moment.", status, problem)
            },
            "/live": {"get": _get("live", "Tell that the gateway lives.", health, problem)},
            "/ready": {
                "get": _get("ready", "Tell whether every worker serves.", health, problem, 503)
            },
            "/api/reload": {
                "post": _post("reload", "Read the settings again.", outcome, problem, 409)
            },
            **{
                f"{path}/{action}": {
                    "post": {
                        **_post(action, about, outcome, problem, 404, 409),
                        "parameters": [
                            _parameter("upstream", "Name of the upstream."),
                            _parameter("address", "`host:port` of the endpoint."),
                        ],
                    }
                }
                for action, about in (
                    ("drain", "Give an endpoint no more requests until it is restored."),
                    ("eject", "Take an endpoint out for as long as its failures would."),
                    ("restore", "Put an endpoint back, its failures forgotten."),
                )
            },
        },
        "components": {"schemas": components},
    }


def _get(
    name: str, about: str, schema: dict[str, Any], problem: dict[str, Any], *problems: int
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": about,
        "responses": _responses(schema, problem, (405, 421, *problems)),
    }


def _post(
    name: str, about: str, schema: dict[str, Any], problem: dict[str, Any], *problems: int
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": about,
        "responses": _responses(schema, problem, (400, 403, 405, 413, 421, 503, *problems)),
    }


def _responses(
    schema: dict[str, Any], problem: dict[str, Any], problems: tuple[int, ...]
) -> dict[str, Any]:
    good = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    return {
        "200": good,
        **{
            str(status): {
                "description": HTTPStatus(status).phrase,
                "content": {"application/problem+json": {"schema": problem}},
            }
            for status in sorted(problems)
        },
    }


def _parameter(name: str, about: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", "minLength": 1, "maxLength": 300},
    }
