"""The fields that an upstream sees, and those that a client gets back. Pure.

Source: RFC 9110 section 7.6 (what intermediaries do), RFC 7239, RFC 9112 section 9.6.
"""

from collections.abc import Iterable
from functools import lru_cache

from loadpath.gateway.exchange import Field
from loadpath.gateway.passing.clients import Told
from loadpath.gateway.passing.forwarded import forwarded_element
from loadpath.gateway.settings.filters import HeaderRules
from loadpath.http.fields import tokens_of
from loadpath.http.heads import RequestHead, ResponseHead
from loadpath.http.hops import HOP_BY_HOP, end_to_end

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

_FRAMING = HOP_BY_HOP | {b"content-length", b"trailer"}
_USUAL = frozenset({b"close", b"keep-alive", b"upgrade"})
_VIA = b"1.1 loadpath"


def upstream_fields(
    head: RequestHead,
    told: Told,
    *,
    neighbour: str,
    request_id: str,
    trace: bytes,
    continued: bool,
) -> list[Field]:
    """Return the fields that the upstream sees, `Host` and framing left out.

    Args:
        head: Of the client's request.
        told: Who asks.
        neighbour: Address of who is connected to us.
        request_id: The request's id.
        trace: The trace that it belongs to.
        continued: Whether the client began it; the `tracestate` of another trace ends here.
    """
    index = head.index
    passed: Iterable[Field] = head.fields
    if b"connection" in index and _names_others(index[b"connection"]):
        passed = end_to_end(head.fields, index)
    is_ours = _is_ours if told.believed else _is_ours_or_told
    fields = [each for each in passed if not is_ours(each[0])]
    if b"tracestate" in index and not continued:
        fields = [each for each in fields if each[0].lower() != b"tracestate"]
    fields += _about_client(told.client, told.scheme, told.authority or head.authority)
    fields += ((b"X-Request-Id", request_id.encode()), (b"traceparent", trace))
    if told.believed:
        _continue_list(fields, neighbour, index)
    via = index.get(b"via")
    fields.append((b"Via", _VIA if via is None else b"%b, %b" % (via, _VIA)))
    return fields


@lru_cache(maxsize=4096)
def _is_ours(name: bytes) -> bool:
    """Return whether a field ends here or is ours to write; servers of CGI take `_` for `-`."""
    dashed = name.lower().replace(b"_", b"-")
    return dashed in OURS or dashed in HOP_BY_HOP


@lru_cache(maxsize=4096)
def _is_ours_or_told(name: bytes) -> bool:
    """Return whether a field is ours, or such as only proxies write (`X-Forwarded-Prefix`, …)."""
    return _is_ours(name) or name.lower().replace(b"_", b"-").startswith(b"x-forwarded-")


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
    element = forwarded_element(neighbour, "http", b"").partition(b";")[0]
    told = index.get(b"forwarded")
    for place, (name, value) in enumerate(fields):
        if name == b"X-Forwarded-For":
            fields[place] = (name, _listed(value if before is None else before, neighbour.encode()))
        elif name == b"Forwarded":
            first = value if told is None else told
            fields[place] = (name, b"%b, %b" % (first, element))


def _listed(before: bytes, neighbour: bytes) -> bytes:
    return before if before == neighbour else b"%b, %b" % (before, neighbour)


def client_fields(head: ResponseHead) -> list[Field]:
    """Return the fields of an answer that the client gets, framing left out."""
    if _names_others(head.index.get(b"connection", b"")):
        fields = end_to_end(head.fields, head.index)
        return [each for each in fields if not _ends_here(each[0])]
    return [each for each in head.fields if not _ends_here(each[0])]


@lru_cache(maxsize=4096)
def _ends_here(name: bytes) -> bool:
    """Return whether a field of an answer belongs to its connection, or is written by us."""
    lower = name.lower()
    return lower in _FRAMING or lower == b"x-request-id"


@lru_cache(maxsize=256)
def _names_others(connection: bytes) -> bool:
    """Return whether `Connection` names fields beside those that always end here."""
    return not _USUAL.issuperset(tokens_of(connection))


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
