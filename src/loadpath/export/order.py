"""Routes in the order in which the first that fits takes a request.

The rule of the gateway, as one list: the host itself before wildcards (the longest first) before
all hosts; in each the path itself before the longest prefix before patterns, then more conditions,
then the order of the file.

Source: the Gateway API's rules of precedence (HTTPRoute).
"""

from collections.abc import Sequence
from typing import NamedTuple

from loadpath.gateway.settings.routes import Match, Route


class Entry(NamedTuple):
    """Be one route at one host.

    Attributes:
        host: The host, `*.` before a wildcard, empty for all.
        number: The route's place in the file.
        route: The route.
    """

    host: str
    number: int
    route: Route


def in_order(routes: Sequence[Route]) -> list[Entry]:
    """Return every route once for each of its hosts, in the order of precedence."""
    entries = [
        Entry(host, number, route)
        for number, route in enumerate(routes)
        for host in route.match.hosts or ("",)
    ]
    return sorted(entries, key=lambda each: (_host(each.host), _path(each), each.number))


def conditions(match: Match) -> int:
    """Return how many conditions there are beside host and path."""
    return len(match.headers) + bool(match.methods)


def _host(host: str) -> tuple[int, int, str]:
    if not host:
        return 2, 0, ""
    return (1, -len(host), host) if host.startswith("*.") else (0, 0, host)


def _path(entry: Entry) -> tuple[int, int, int, int]:
    match = entry.route.match
    more = -conditions(match)
    if match.exact is not None:
        return 0, 0, 0, more
    if match.regex is not None:
        return 2, 0, entry.number, more
    return 1, -len((match.prefix or "").rstrip("/")), 0, more
