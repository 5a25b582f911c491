"""Which routes can take the requests of each server and location, the first that fits first.

nginx chooses a location by path alone and then looks no further, while a route of ours that wants
another method or field leaves the request to the next one. So every location gets the whole list
of routes that may take its requests, worked out here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from loadpath.export.hosts import hosts_for
from loadpath.export.nginx.variables import Conditions
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.routes import Match, Route


class Candidate(NamedTuple):
    """Hold one route and where it stands.

    Attributes:
        number: Its place in the file.
        route: The route.
    """

    number: int
    route: Route

    @property
    def conditions(self) -> Conditions:
        """What it demands beside host and path."""
        return Conditions(self.number, self.route)


class Place(NamedTuple):
    """Be one location.

    Attributes:
        path: The path.
        exact: Whether only the path itself is meant.
        chain: Routes that may take its requests; only the last may be without conditions.
    """

    path: str
    exact: bool
    chain: tuple[Candidate, ...]


def places(settings: GatewaySettings, name: str) -> list[Place]:
    """Return the locations of one server."""
    tables = [_table(settings, host) for host in hosts_for(settings, name)]
    paths = sorted({each for table in tables for each in _paths(table)})
    found = [Place(path, exact, _chain(tables, path, exact=exact)) for path, exact in paths]
    return [each for each in found if each.chain]


def prefix_of(match: Match) -> str:
    """Return the prefix without a slash at its end, empty for every path."""
    return (match.prefix or "").rstrip("/")


def _table(settings: GatewaySettings, host: str) -> list[Candidate]:
    """Return the routes of one host, those with more conditions first."""
    found = [
        Candidate(number, route)
        for number, route in enumerate(settings.routes)
        if (host in route.match.hosts if host else not route.match.hosts)
    ]
    return sorted(found, key=lambda each: (-_weight(each.route.match), each.number))


def _weight(match: Match) -> int:
    return len(match.headers) + bool(match.methods)


def _paths(table: Iterable[Candidate]) -> Iterator[tuple[str, bool]]:
    for each in table:
        match = each.route.match
        if match.exact is not None:
            yield match.exact, True
            continue
        prefix = prefix_of(match)
        if prefix:
            yield prefix, True
        yield f"{prefix}/", False


def _chain(tables: Sequence[list[Candidate]], path: str, *, exact: bool) -> tuple[Candidate, ...]:
    chain: list[Candidate] = []
    for table in tables:
        for each in _in_order(table, path, exact=exact):
            chain.append(each)
            if not each.conditions.any or _is_sure(each.route.match, path, exact=exact):
                return tuple(chain)
    return tuple(chain)


def _in_order(table: list[Candidate], path: str, *, exact: bool) -> Iterator[Candidate]:
    """Give the routes of one host that may take a path of a location."""
    if exact:
        yield from (each for each in table if each.route.match.exact == path)
    prefixes = [each for each in table if _is_prefix(each.route.match)]
    for each in sorted(prefixes, key=lambda each: -len(prefix_of(each.route.match))):
        if _covers(prefix_of(each.route.match), path, exact=exact):
            yield each
    for each in sorted(table, key=lambda each: each.number):
        pattern = each.route.match.regex
        if pattern is not None and (not exact or re.fullmatch(pattern, path)):
            yield each


def _is_prefix(match: Match) -> bool:
    return match.exact is None and match.regex is None


def _covers(prefix: str, path: str, *, exact: bool) -> bool:
    return path.startswith(f"{prefix}/") or (exact and path == prefix)


def _is_sure(match: Match, path: str, *, exact: bool) -> bool:
    """Return whether a route demands a pattern alone, which a location's own path meets."""
    only_pattern = match.regex is not None and not match.methods and not match.headers
    return only_pattern and exact and path != ""
