"""Host and port, as they stand in `Host`, in a target, and nowhere with anything else around them.

Source: RFC 9110 section 7.2 (Host), RFC 9112 section 3.2; RFC 3986 section 3.2.
"""

from functools import lru_cache
from ipaddress import IPv6Address

from loadpath.http.errors import ProtocolError
from loadpath.http.grammar import authority

_LAST_PORT = 65_535


@lru_cache(maxsize=512)
def checked_authority(value: bytes, *, what: str = "Host") -> bytes:
    """Return `host` or `host:port` as it is.

    Args:
        value: What stands there.
        what: What the error calls it.

    Raises:
        ProtocolError: It is empty, or holds user, path, list, port or characters that may not be.
    """
    match = authority.fullmatch(value)
    if match is None:
        raise ProtocolError(f"{what} must be host or host:port, not {value[:100]!r}")
    host, port = match[1], match[2]
    if port and not 1 <= int(port) <= _LAST_PORT:
        raise ProtocolError(f"the port in {what} must be 1-{_LAST_PORT}, not {value[:100]!r}")
    if host[:1] == b"[":
        _check_literal(host, what)
    return value


def _check_literal(host: bytes, what: str) -> None:
    try:
        IPv6Address(host[1:-1].decode("ascii"))
    except ValueError as error:
        raise ProtocolError(f"{what} holds no IPv6 address: {host[:100]!r}") from error
