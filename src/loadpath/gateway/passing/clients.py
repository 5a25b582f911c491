"""Who sent a request, when proxies stand between: only what trusted ones say is believed. Pure.

The list of addresses is walked from the right, where our own neighbour wrote; the first that is no
trusted proxy is the client. What stands left of it anybody may have made up.

Most proxies write one of `Forwarded` and `X-Forwarded-For` and pass the other as their client sent
it. So both are walked, and where they end at different clients nobody is believed.

Source: RFC 7239 (Forwarded) section 8.1; nginx's `real_ip_recursive`.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import msgspec

from loadpath.gateway.passing.forwarded import read_forwarded
from loadpath.http.authority import checked_authority
from loadpath.http.errors import ProtocolError

_HOPS = 64


class Told(msgspec.Struct, frozen=True):
    """Hold what is known of who asks.

    Attributes:
        client: Its address.
        scheme: `http` or `https`, as it used it.
        authority: Host and perhaps port that it asked, empty for what `Host` says.
        believed: Whether the neighbour is a trusted proxy, whose fields are continued.
        disputed: Whether `Forwarded` and `X-Forwarded-For` name different clients.
    """

    client: str
    scheme: str
    authority: bytes
    believed: bool
    disputed: bool = False


class TrustedProxies:
    """Know whose word is taken.

    Args:
        networks: Addresses and networks of proxies.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(each) for each in networks]
        self.trusts = lru_cache(maxsize=4096)(self._trusts)

    def told(self, neighbour: str, scheme: str, index: Mapping[bytes, bytes]) -> Told:
        """Return who asks.

        Args:
            neighbour: Address of who is connected to us.
            scheme: What it speaks with us.
            index: Values of the request's fields by name in lower case.
        """
        if not self._networks or not self.trusts(neighbour):
            return Told(neighbour, scheme, b"", believed=False)
        listed = self._by_list(neighbour, scheme, index)
        if b"forwarded" not in index:
            return listed
        told = self._by_forwarded(neighbour, scheme, index[b"forwarded"])
        if told.client == listed.client or self.trusts(listed.client):
            return told
        if self.trusts(told.client):
            return listed
        return Told(neighbour, scheme, b"", believed=False, disputed=True)

    def _by_list(self, neighbour: str, scheme: str, index: Mapping[bytes, bytes]) -> Told:
        client, _ = self._first_untrusted(neighbour, _listed(index.get(b"x-forwarded-for", b"")))
        proto = _last(index.get(b"x-forwarded-proto", b"")).lower()
        host = _last(index.get(b"x-forwarded-host", b""))
        scheme = proto.decode() if proto in (b"http", b"https") else scheme
        return Told(client, scheme, _sane(host), True)

    def _by_forwarded(self, neighbour: str, scheme: str, value: bytes) -> Told:
        elements = read_forwarded(value)[-_HOPS:]
        addresses = [each.get("for", "") for each in elements]
        client, at = self._first_untrusted(neighbour, addresses)
        element = elements[at] if elements else {}
        proto = element.get("proto", "").lower()
        host = element.get("host", "").encode("latin-1")
        return Told(client, proto if proto in ("http", "https") else scheme, _sane(host), True)

    def _first_untrusted(self, neighbour: str, addresses: list[str]) -> tuple[str, int]:
        """Return the nearest address that is no proxy of ours, and its place."""
        client, at = neighbour, len(addresses) - 1
        for place in range(len(addresses) - 1, -1, -1):
            address = _plain(addresses[place])
            if address is None:  # hidden or made up: what is left of it says nothing
                break
            client, at = address, place
            if not self.trusts(address):
                break
        return client, at

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in each for each in self._networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _plain(node: str) -> str | None:
    """Return the address of a node, its port left out; None when there is none."""
    text = node.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    parsed = _parsed(text)
    return None if parsed is None else str(parsed)


def _sane(host: bytes) -> bytes:
    """Return a host that may be one, else nothing: proxies pass on what clients made up."""
    try:
        return checked_authority(host)
    except ProtocolError:
        return b""


def _listed(value: bytes) -> list[str]:
    return value.decode("latin-1").split(",")[-_HOPS:] if value else []


def _last(value: bytes) -> bytes:
    return value.rpartition(b",")[2].strip(b" \t")
