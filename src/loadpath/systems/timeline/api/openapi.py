"""The OpenAPI document, written from the operations themselves.

Source: OpenAPI Specification 3.1.1; its schemas are JSON Schema 2020-12, as msgspec makes them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from loadpath.systems.timeline.api.problems import MEDIA_TYPE, Problem
from loadpath.systems.timeline.api.web import Operation, Parameter

_REFERENCE = "#/components/schemas/{name}"


def document(operations: Sequence[Operation], *, version: str) -> dict[str, Any]:
    """Return the OpenAPI document of some operations.

    Args:
        operations: What can be asked.
        version: Of the API.
    """
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = dict(zip(map(id, types), schemas, strict=True))
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, by_type)
    return {
        "openapi": "3.1.1",
        "info": {"title": "loadpath timeline", "version": version},
        "paths": dict(paths),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def statuses(operation: Operation) -> list[int]:
    """Return every status of a problem that an operation may answer with."""
    found = {400, 405, 422, 431, 500, 503, *operation.problems}
    if operation.auth != "none":
        found.add(401)
    if operation.body is not None:
        found |= {408, 413, 415}
    return sorted(found)


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: list[Any] = [Problem]
    for operation in operations:
        found += [each.type for each in operation.parameters]
        found += [each for each in (operation.body, operation.answer) if each is not None]
    return found


def _operation(operation: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.about,
        "operationId": operation.handle.__name__,
        "responses": _responses(operation, schemas),
    }
    if operation.parameters:
        described["parameters"] = [
            _parameter(each, schemas[id(each.type)]) for each in operation.parameters
        ]
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[id(operation.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.auth != "none":
        nobody: list[dict[str, list[str]]] = [{}] if operation.auth == "optional" else []
        described["security"] = [{"token": []}, *nobody]
    return described


def _responses(operation: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": schemas[id(operation.answer)]}}
    problem = {MEDIA_TYPE.decode(): {"schema": schemas[id(Problem)]}}
    return {
        str(operation.status): success,
        **{
            str(status): {"description": HTTPStatus(status).phrase, "content": problem}
            for status in statuses(operation)
        },
    }


def _parameter(parameter: Parameter, schema: dict[str, Any]) -> dict[str, Any]:
    if parameter.default is not None:
        schema = {**schema, "default": parameter.default}
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.required,
        "schema": schema,
    }
