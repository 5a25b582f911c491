"""Endpoints from the records of DNS. Pure.

Source: RFC 2782 (SRV: priority, weight, the target `.`), RFC 1035 (time to live).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadpath.balance.endpoint import Endpoint, EndpointSet

LARGEST_WEIGHT = 256
NOT_OFFERED = "."
"""Target that says that a service is decidedly not available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Srv:
    """Hold one SRV record.

    Attributes:
        priority: Lower ones serve first.
        weight: Share of the traffic within a priority, 0 for hardly any.
        port: Port of the service.
        target: Name of the server.
    """

    priority: int
    weight: int
    port: int
    target: str


def from_addresses(addresses: Iterable[str], port: int) -> EndpointSet:
    """Return the endpoints of A and AAAA records, in a steady order."""
    return EndpointSet(Endpoint(host=each, port=port) for each in sorted(set(addresses)))


def from_services(records: Iterable[Srv], addresses: Mapping[str, Sequence[str]]) -> EndpointSet:
    """Return the endpoints of SRV records, in a steady order.

    Weights are kept in proportion and fit into 1-256. Of an address that is named twice the first
    to serve counts, and among equals the heaviest.

    Args:
        records: The records.
        addresses: Addresses of each target.
    """
    offered = [each for each in records if each.target != NOT_OFFERED]
    heaviest = max([each.weight for each in offered], default=0)
    scale = min(1.0, LARGEST_WEIGHT / heaviest) if heaviest else 1.0
    found: dict[str, Endpoint] = {}
    for record in sorted(offered, key=lambda each: (each.priority, -each.weight)):
        for address in addresses.get(record.target, ()):
            endpoint = Endpoint(
                host=address,
                port=record.port,
                weight=max(1, round(record.weight * scale)),
                priority=record.priority,
            )
            found.setdefault(endpoint.address, endpoint)
    return EndpointSet(found[address] for address in sorted(found))


def wait(ttl: float, *, floor: float, ceiling: float) -> float:
    """Return when to ask again, by the records' time to live (s) and our own bounds of it."""
    return min(max(ttl, floor), ceiling)
