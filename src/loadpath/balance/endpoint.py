"""Where calls may go: endpoints, and immutable sets of them.

A set is replaced, never changed: handing a new one to `Balancer.swap` is a hot reload.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

LARGEST_PORT = 65_535
LARGEST_WEIGHT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Name one address that serves, and what balancing should know about it.

    Attributes:
        host: Name or IP address; an IPv6 address without brackets.
        port: TCP port.
        weight: Share of the traffic relative to others, 1 to 256.
        zone: Where it runs; an own zone is preferred when the balancer has one.
        priority: 0 serves first; 1, 2, … are the backups of what is below.
        metadata: Anything the owner wants to find again; a copy, not part of the hash.
    """

    host: str
    port: int
    weight: int = 1
    zone: str = ""
    priority: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.host or any(each in " \t\r\n/@" for each in self.host):
            raise ValueError(f"host must be a name or an IP address, not {self.host!r}")
        if not 1 <= self.port <= LARGEST_PORT:
            raise ValueError(f"port must be 1-{LARGEST_PORT}, not {self.port}")
        if not 1 <= self.weight <= LARGEST_WEIGHT or self.weight != int(self.weight):
            raise ValueError(f"weight must be a whole number 1-{LARGEST_WEIGHT}: {self.weight}")
        if self.priority < 0:
            raise ValueError(f"priority must be at least 0, not {self.priority}")
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    @classmethod
    def parse(cls, address: str, *, weight: int = 1, zone: str = "", priority: int = 0) -> Self:
        """Return the endpoint of `host:port`, or `[host]:port` for IPv6.

        Raises:
            ValueError: The address has no host or no port.
        """
        host, colon, port = address.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not port.isascii() or not port.isdigit() or (":" in host and not bracketed):
            raise ValueError(f"address must look like host:port or [IPv6]:port, not {address!r}")
        host = host[1:-1] if bracketed else host
        return cls(host=host, port=int(port), weight=weight, zone=zone, priority=priority)

    @property
    def address(self) -> str:
        """`host:port`, with brackets for IPv6; unique in a set."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class EndpointSet:
    """Hold endpoints in order, each address once; never changes.

    Args:
        endpoints: Endpoints, or addresses that `Endpoint.parse` understands; may be none.

    Raises:
        ValueError: An address is there twice, or is none.
    """

    __slots__ = ("_by_address",)

    def __init__(self, endpoints: Iterable[Endpoint | str] = ()) -> None:
        by_address: dict[str, Endpoint] = {}
        for each in endpoints:
            endpoint = Endpoint.parse(each) if isinstance(each, str) else each
            if endpoint.address in by_address:
                raise ValueError(f"endpoint {endpoint.address} is there twice: give it one weight")
            by_address[endpoint.address] = endpoint
        self._by_address = by_address

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._by_address.values())

    def __len__(self) -> int:
        return len(self._by_address)

    def __contains__(self, address: object) -> bool:
        return address in self._by_address

    def __getitem__(self, address: str) -> Endpoint:
        return self._by_address[address]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EndpointSet) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"EndpointSet({list(self._by_address)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Tell what a new set changed.

    Attributes:
        added: Endpoints whose address is new.
        removed: Endpoints that are gone: calls in flight still settle, pools may be closed.
    """

    added: tuple[Endpoint, ...]
    removed: tuple[Endpoint, ...]
