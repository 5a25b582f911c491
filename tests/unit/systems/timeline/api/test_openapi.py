"""The OpenAPI document says what the table says, and nothing else."""

import json
from typing import Any

import msgspec
import pytest

from loadpath.systems.timeline.api.app import Parts, TimelineApi
from loadpath.systems.timeline.api.messages import PostPage
from loadpath.systems.timeline.api.openapi import document, statuses
from loadpath.systems.timeline.api.web import Operation

# Listing the operations touches none of the parts.
OPERATIONS = TimelineApi(object.__new__(Parts), rings_ready=bool).operations()
DOCUMENT = json.loads(msgspec.json.encode(document(OPERATIONS, version="1")))


def described(operation: Operation) -> dict[str, Any]:
    """Return what the document says about an operation."""
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def test_every_operation_is_described_once() -> None:
    """The document has the operations of the table, no more and no less."""
    listed = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert listed == {(each.method, each.path) for each in OPERATIONS}
    assert len(listed) == len(OPERATIONS)
    names = [described(each)["operationId"] for each in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_is_described_as_it_is_read(operation: Operation) -> None:
    """Parameters, body, token and answers stand in the document as in the table."""
    found = described(operation)
    told = {(each["name"], each["in"]) for each in found.get("parameters", [])}
    assert told == {(each.name, each.place) for each in operation.parameters}
    assert ("requestBody" in found) == (operation.body is not None)
    assert ("security" in found) == (operation.auth != "none")
    assert {int(status) for status in found["responses"]} == {
        operation.status,
        *statuses(operation),
    }
    in_path = {each.name for each in operation.parameters if each.place == "path"}
    assert in_path == {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}


def test_references_lead_somewhere() -> None:
    """Every `$ref` names a schema of the document, and no schema is unused."""
    text = json.dumps(DOCUMENT)
    schemas = DOCUMENT["components"]["schemas"]
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(schemas)


def test_limits_and_problems_are_described() -> None:
    """A client can read the range of `limit` and the media type of problems."""
    home = DOCUMENT["paths"]["/timelines/home"]["get"]
    (limit,) = [each for each in home["parameters"] if each["name"] == "limit"]
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)
    assert limit["schema"]["default"] == 20
    assert "application/problem+json" in home["responses"]["401"]["content"]
    assert PostPage.__name__ in json.dumps(home["responses"]["200"])
