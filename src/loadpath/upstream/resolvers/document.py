"""Endpoints as people write them down: one document in TOML or JSON. Pure.

A list of addresses, or of tables with `host` and `port` and perhaps `weight`, `zone`, `priority`
and `metadata`; TOML needs a name for its list, `endpoints`, and JSON may have it.
"""

from collections.abc import Iterable

import msgspec

from loadpath.balance.endpoint import Endpoint, EndpointSet
from loadpath.upstream.errors import ResolveError


class EndpointTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold one endpoint as it is written down; the fields are `Endpoint`'s."""

    host: str
    port: int
    weight: int = 1
    zone: str = ""
    priority: int = 0
    metadata: dict[str, str] = {}


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a document whose list has a name."""

    endpoints: list[str | EndpointTable]


def read_toml(data: bytes) -> EndpointSet:
    """Return the endpoints of a TOML document.

    Raises:
        ResolveError: It holds something else; the message names the path.
    """
    try:
        document = msgspec.toml.decode(data, type=Document)
    except ValueError as error:
        raise ResolveError(f"not a list of endpoints in TOML: {error}") from error
    return endpoint_set(document.endpoints)


def read_json(data: bytes) -> EndpointSet:
    """Return the endpoints of a JSON document.

    Raises:
        ResolveError: It holds something else; the message names the path.
    """
    named = data.lstrip()[:1] == b"{"
    try:
        if named:
            return endpoint_set(msgspec.json.decode(data, type=Document).endpoints)
        return endpoint_set(msgspec.json.decode(data, type=list[str | EndpointTable]))
    except ValueError as error:
        if isinstance(error, ResolveError):
            raise
        raise ResolveError(f"not a list of endpoints in JSON: {error}") from error


def endpoint_set(written: Iterable[str | EndpointTable]) -> EndpointSet:
    """Return a set of what was written down.

    Raises:
        ResolveError: One is no endpoint, or is there twice; the message names its place.
    """
    endpoints = []
    for place, each in enumerate(written):
        try:
            endpoints.append(_endpoint(each))
        except ValueError as error:
            raise ResolveError(f"$.endpoints[{place}]: {error}") from error
    try:
        return EndpointSet(endpoints)
    except ValueError as error:
        raise ResolveError(str(error)) from error


def _endpoint(written: str | EndpointTable) -> Endpoint:
    if isinstance(written, str):
        return Endpoint.parse(written)
    return Endpoint(**msgspec.structs.asdict(written))
