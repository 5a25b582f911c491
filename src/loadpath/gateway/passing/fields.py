"""The fields that an upstream sees, and those that a client gets back. Pure.

Source: RFC 9110 section 7.6 (what intermediaries do), RFC 7239, RFC 9112 section 9.6.
"""

from functools import lru_cache

from loadpath.gateway.exchange import Field
from loadpath.gateway.passing.clients import Told
from loadpath.gateway.passing.forwarded import forwarded_element
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.http.heads import RequestHead, ResponseHead
from loadpath.http.hops import end_to_end

OURS = frozenset(
    {
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"traceparent",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)
"""Fields of a request that the gateway writes itself, whatever the client sent."""

_FRAMING = frozenset({b"content-length", b"trailer", b"transfer-encoding"})
_VIA = b"1.1 loadpath"


def upstream_fields(
    head: RequestHead, told: Told, *, neighbour: str, request_id: str, trace: bytes
) -> list[Field]:
    """Return the fields that the upstream sees, `Host` and framing left out.

    Args:
        head: Of the client's request.
        told: Who asks.
        neighbour: Address of who is connected to us.
        request_id: The request's id.
        trace: The trace that it belongs to.
    """
    index = head.index
    fields = [each for each in end_to_end(head.fields, index) if not _is_ours(each[0])]
    fields += _about_client(told.client, told.scheme, told.authority or head.authority)
    fields += ((b"X-Request-Id", request_id.encode()), (b"traceparent", trace))
    if told.believed:
        _continue_list(fields, neighbour, index)
    via = index.get(b"via")
    fields.append((b"Via", _VIA if via is None else b"%b, %b" % (via, _VIA)))
    return fields


@lru_cache(maxsize=4096)
def _is_ours(name: bytes) -> bool:
    """Return whether we write a field ourselves; servers that speak CGI take `_` for `-`."""
    return name.lower().replace(b"_", b"-") in OURS


@lru_cache(maxsize=4096)
def _about_client(client: str, scheme: str, host: bytes) -> tuple[Field, ...]:
    address = client.encode()
    return (
        (b"X-Real-IP", address),
        (b"X-Forwarded-For", address),
        (b"X-Forwarded-Proto", scheme.encode()),
        (b"X-Forwarded-Host", host),
        (b"Forwarded", forwarded_element(client, scheme, host)),
    )


def _continue_list(fields: list[Field], neighbour: str, index: dict[bytes, bytes]) -> None:
    """Put our neighbour behind what the trusted proxies told already."""
    before = index.get(b"x-forwarded-for")
    listed = neighbour.encode() if before is None else b"%b, %b" % (before, neighbour.encode())
    element = forwarded_element(neighbour, "http", b"").partition(b";")[0]
    told = index.get(b"forwarded")
    for place, (name, value) in enumerate(fields):
        if name == b"X-Forwarded-For":
            fields[place] = (name, listed)
        elif name == b"Forwarded":
            first = value if told is None else told
            fields[place] = (name, b"%b, %b" % (first, element))


def client_fields(head: ResponseHead) -> list[Field]:
    """Return the fields of an answer that the client gets, framing left out."""
    index = head.index
    fields = end_to_end(head.fields, index)
    if _FRAMING.isdisjoint(index):
        return fields
    return [each for each in fields if not _is_framing(each[0])]


@lru_cache(maxsize=4096)
def _is_framing(name: bytes) -> bool:
    return name.lower() in _FRAMING


class FieldRules:
    """Set and remove the fields that a route says.

    Args:
        rules: What it says.
    """

    __slots__ = ("_gone", "_set")

    def __init__(self, rules: HeaderRules) -> None:
        self._set = [(name.encode(), value.encode()) for name, value in rules.set.items()]
        changed = {*(name.lower() for name, _ in self._set)}
        self._gone = frozenset({*changed, *(name.lower().encode() for name in rules.remove)})

    def __bool__(self) -> bool:
        return bool(self._gone)

    def apply(self, fields: list[Field]) -> list[Field]:
        """Return the fields as the rules leave them."""
        return [*(each for each in fields if each[0].lower() not in self._gone), *self._set]
