"""The endpoints of the current set, and which of them their breakers keep shut."""

from collections.abc import Iterator

import msgspec

from loadpath.balance import Endpoint, EndpointSet
from loadpath.core.ports import Events
from loadpath.http import Origin
from loadpath.resilience import BreakerChanged, BreakerPolicy
from loadpath.upstream.door import Door

_PASSING = frozenset({"closed", "disabled", "metrics_only"})


class Doors:
    """Keep a door for each endpoint of the set.

    Args:
        breaker: When an endpoint's breaker opens, None for no breakers.
        tls: Whether the endpoints speak TLS.
        server_name: Name that their certificates must have, None for their hosts.
        events: Who hears of breakers.
    """

    __slots__ = ("_breaker", "_by_address", "_events", "_server_name", "_shut", "_tls")

    def __init__(
        self,
        *,
        breaker: BreakerPolicy | None,
        tls: bool,
        server_name: str | None,
        events: Events | None,
    ) -> None:
        self._breaker = breaker
        self._tls = tls
        self._server_name = server_name
        self._events = events
        self._by_address: dict[str, Door] = {}
        self._shut: dict[str, Door] = {}

    def __getitem__(self, address: str) -> Door:
        return self._by_address[address]

    def of(self, endpoint: Endpoint) -> Door:
        """Return an endpoint's door, also when somebody else swapped it into the balancer."""
        door = self._by_address.get(endpoint.address)
        if door is None:
            door = self._by_address[endpoint.address] = self._door(endpoint)
        return door

    def __len__(self) -> int:
        return len(self._by_address)

    def __iter__(self) -> Iterator[Door]:
        return iter(self._by_address.values())

    def follow(self, endpoints: EndpointSet) -> list[Door]:
        """Take over a new set.

        Returns:
            The doors that are gone.

        Raises:
            ValueError: A host is none that can be connected to; the old set stays.
        """
        old = self._by_address
        self._by_address = {
            each.address: old.get(each.address) or self._door(each) for each in endpoints
        }
        for endpoint in endpoints:
            self._by_address[endpoint.address].endpoint = endpoint
        gone = [door for address, door in old.items() if address not in endpoints]
        for door in gone:
            door.gone = True
            self._shut.pop(door.address, None)
        return gone

    def shut(self, now: float) -> list[Endpoint]:
        """Return the endpoints whose breakers let nothing through at `now` (s)."""
        if not self._shut:
            return []
        return [door.endpoint for door in self._shut.values() if not door.would_pass(now)]

    def emit(self, event: msgspec.Struct) -> None:
        """Hear from a breaker, and pass it on."""
        if isinstance(event, BreakerChanged):
            door = self._by_address.get(event.name)
            if door is None or event.after in _PASSING:
                self._shut.pop(event.name, None)
            else:
                self._shut[event.name] = door
        if self._events is not None:
            self._events.emit(event)

    def _door(self, endpoint: Endpoint) -> Door:
        origin = Origin(endpoint.host, endpoint.port, self._tls, self._server_name)
        return Door(endpoint, origin=origin, breaker=self._breaker, events=self)
