"""Which client addresses may use a route; what is denied stays denied. Pure."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from loadpath.gateway.exchange import AnswerHead, Exchange, Reply
from loadpath.gateway.passing.problems import problem
from loadpath.gateway.settings.filters import Addresses

_Network = IPv4Network | IPv6Network


class AddressFilter:
    """Refuse clients by their address with 403.

    Args:
        addresses: Who may and who may not.
    """

    __slots__ = ("_allow", "_deny", "may")

    def __init__(self, addresses: Addresses) -> None:
        self._allow = _networks(addresses.allow)
        self._deny = _networks(addresses.deny)
        self.may = lru_cache(maxsize=4_096)(self._may)

    def enter(self, exchange: Exchange) -> Reply | None:
        """Refuse whoever may not."""
        if self.may(exchange.client):
            return None
        return problem(403, "this address may not use this route", request_id=exchange.request_id)

    def leave(self, exchange: Exchange, head: AnswerHead) -> None:
        """Leave the answer as it is."""

    def _may(self, client: str) -> bool:
        try:
            address = _unmapped(client)
        except ValueError:  # a trusted proxy told a name; who is not known is not allowed
            return not self._allow and not self._deny
        if any(address in each for each in self._deny):
            return False
        return not self._allow or any(address in each for each in self._allow)


def _unmapped(client: str) -> IPv4Address | IPv6Address:
    """Return an address; IPv4 inside IPv6 (`::ffff:192.0.2.1`) is IPv4."""
    address = ip_address(client.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _networks(written: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ip_network(each, strict=False) for each in written)
