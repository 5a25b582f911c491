"""Endpoints as tables of a database hold them: rows, and fields of a hash. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from loadpath.balance.endpoint import Endpoint, EndpointSet
from loadpath.upstream.errors import ResolveError
from loadpath.upstream.resolvers.document import EndpointTable, endpoint_set

_COLUMNS = tuple(EndpointTable.__struct_fields__)


class AddressFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold what a hash says of an address; the fields are `Endpoint`'s."""

    weight: int = 1
    zone: str = ""
    priority: int = 0
    metadata: dict[str, str] = {}


def from_rows(rows: Iterable[Mapping[str, Any]]) -> EndpointSet:
    """Return the endpoints of rows: `host` and `port`, perhaps `weight`, `zone`, `priority`.

    They come in the order of host and port, so that equal tables are equal sets.

    Raises:
        ResolveError: A row is no endpoint; the message names its column.
    """
    tables = [_table(place, row) for place, row in enumerate(rows)]
    tables.sort(key=lambda table: (table.host, table.port))
    return endpoint_set(tables)


def from_hash(fields: Mapping[str, str]) -> EndpointSet:
    """Return the endpoints of a hash: address to weight, to a JSON object, or to nothing.

    Raises:
        ResolveError: A field is no endpoint; the message names it.
    """
    return endpoint_set([_field(address, fields[address]) for address in sorted(fields)])


def from_addresses(addresses: Iterable[str]) -> EndpointSet:
    """Return the endpoints of a set of addresses.

    Raises:
        ResolveError: One is no address.
    """
    return endpoint_set(sorted(addresses))


def _table(place: int, row: Mapping[str, Any]) -> EndpointTable:
    given = {name: row[name] for name in _COLUMNS if row.get(name) is not None}
    try:
        return msgspec.convert(given, EndpointTable)
    except msgspec.ValidationError as error:
        raise ResolveError(f"row {place}: {error}") from error


def _field(address: str, value: str) -> str | EndpointTable:
    if not value:
        return address
    try:
        said = int(value) if value.isdecimal() else msgspec.json.decode(value, type=AddressFields)
        fields = AddressFields(weight=said) if isinstance(said, int) else said
        return _joined(address, fields)
    except ValueError as error:
        raise ResolveError(f"{address}: {error}") from error


def _joined(address: str, fields: AddressFields) -> EndpointTable:
    named = Endpoint.parse(address)
    return EndpointTable(host=named.host, port=named.port, **msgspec.structs.asdict(fields))
