"""Who may use the admin API: programs of this machine, and its own page; no foreign page. Pure.

A page that a browser has open elsewhere can send requests to loopback. It cannot choose `Host`
once its name resolves there (DNS rebinding), and cannot hide `Origin` and `Sec-Fetch-Site` when it
sends a POST. So names that are not ours, and what comes from other pages, are refused.

Source: OWASP, "Cross-Site Request Forgery Prevention"; Fetch Metadata Request Headers.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from loadpath.gateway.passing.problems import GatewayError
from loadpath.gateway.routing.hosts import host_of

_OWN = frozenset({b"none", b"same-origin"})


def check_host(authority: bytes, own: str) -> None:
    """Refuse a request for a name that is not ours.

    Raises:
        GatewayError: It is one.
    """
    host = host_of(authority) if authority else ""
    if host in ("localhost", own.lower()) or _is_address(host):
        return
    raise GatewayError(421, "ask for an address, localhost, or the host in [admin]")


def check_origin(index: Mapping[bytes, bytes], authority: bytes) -> None:
    """Refuse a change that another page asks for.

    Raises:
        GatewayError: One does.
    """
    origin = index.get(b"origin")
    if origin is not None and origin != b"http://" + authority:
        raise GatewayError(403, "another page may not change anything here")
    if index.get(b"sec-fetch-site", b"none") not in _OWN:
        raise GatewayError(403, "another page may not change anything here")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
