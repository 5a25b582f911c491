"""Find the route of a request. Pure.

Every host has its own table; a request is looked up in the table of its host, then in those of the
wildcards that fit it, the longest first, then among the routes for all hosts. In each, the path
itself goes before the longest prefix before patterns; of those for the same path the one with more
conditions, then the order of the file.

The cost is one look-up for each length that prefixes have, and one match for each pattern.

Source: the Gateway API's rules of precedence (HTTPRoute).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from loadpath.gateway.checks.patterns import LONGEST
from loadpath.gateway.routing.hosts import parents
from loadpath.gateway.settings.routes import Match

T = TypeVar("T")
Index = Mapping[bytes, bytes]


class Refusal(NamedTuple):
    """Tell that no route takes a request.

    Attributes:
        allow: Methods that routes for this path take; empty when there is no such path.
    """

    allow: tuple[str, ...]


class _Candidate(Generic[T]):
    """Hold one route and its conditions beside host and path."""

    __slots__ = ("conditions", "fields", "methods", "order", "route")

    def __init__(self, match: Match, route: T, order: int) -> None:
        self.route = route
        self.methods = frozenset(match.methods)
        self.fields = [
            (name.lower().encode(), None if value == "*" else value.encode())
            for name, value in match.headers.items()
        ]
        self.conditions = len(self.fields) + bool(self.methods)
        self.order = order

    def has_fields(self, index: Index) -> bool:
        """Return whether a request has the fields that the route wants."""
        for name, value in self.fields:
            found = index.get(name)
            if found is None or (value is not None and found != value):
                return False
        return True


class _Host(Generic[T]):
    """Hold the routes of one host."""

    __slots__ = ("exact", "lengths", "patterns", "prefixes")

    def __init__(self) -> None:
        self.exact: dict[str, list[_Candidate[T]]] = defaultdict(list)
        self.prefixes: dict[str, list[_Candidate[T]]] = defaultdict(list)
        self.lengths: list[int] = []
        self.patterns: dict[str, tuple[re.Pattern[str], list[_Candidate[T]]]] = {}

    def add(self, match: Match, candidate: _Candidate[T]) -> None:
        """Take a route in; `finish` follows the last one."""
        if match.exact is not None:
            self.exact[match.exact].append(candidate)
        elif match.regex is not None:
            pattern = self.patterns.setdefault(match.regex, (re.compile(match.regex), []))
            pattern[1].append(candidate)
        else:
            self.prefixes[(match.prefix or "").rstrip("/")].append(candidate)

    def finish(self) -> None:
        """Put everything in the order in which it is looked at."""
        every = [*self.exact.values(), *self.prefixes.values()]
        for candidates in [*every, *(each for _, each in self.patterns.values())]:
            candidates.sort(key=lambda each: (-each.conditions, each.order))
        self.lengths = sorted({len(each) for each in self.prefixes}, reverse=True)
        self.exact = dict(self.exact)
        self.prefixes = dict(self.prefixes)

    def find(self, path: str, method: str, index: Index, allow: set[str]) -> _Candidate[T] | None:
        """Return the first route that takes a request; adds methods that others would take."""
        if self.exact and (candidates := self.exact.get(path)) is not None:
            found = _first(candidates, method, index, allow)
            if found is not None:
                return found
        size = len(path)
        for length in self.lengths:
            if length < size and path[length] != "/":
                continue
            candidates = self.prefixes.get(path[:length]) if length <= size else None
            if candidates is not None:
                found = _first(candidates, method, index, allow)
                if found is not None:
                    return found
        return self._find_pattern(path, method, index, allow) if self.patterns else None

    def _find_pattern(
        self, path: str, method: str, index: Index, allow: set[str]
    ) -> _Candidate[T] | None:
        if len(path) > LONGEST:
            return None
        for pattern, candidates in self.patterns.values():
            if pattern.fullmatch(path):
                found = _first(candidates, method, index, allow)
                if found is not None:
                    return found
        return None


def _first(
    candidates: list[_Candidate[T]], method: str, index: Index, allow: set[str]
) -> _Candidate[T] | None:
    for each in candidates:
        if each.fields and not each.has_fields(index):
            continue
        if not each.methods or method in each.methods:
            return each
        allow |= each.methods
    return None


class RouteTable(Generic[T]):
    """Find the route of each request.

    Args:
        routes: What each matches, and what is found; in the order of the file.
    """

    def __init__(self, routes: Iterable[tuple[Match, T]]) -> None:
        self._exact: dict[str, _Host[T]] = defaultdict(_Host)
        self._below: dict[str, _Host[T]] = defaultdict(_Host)
        self._all: _Host[T] = _Host()
        for order, (match, route) in enumerate(routes):
            candidate = _Candidate(match, route, order)
            for table in self._tables_of(match):
                table.add(match, candidate)
        for table in [*self._exact.values(), *self._below.values(), self._all]:
            table.finish()
        self._exact, self._below = dict(self._exact), dict(self._below)

    def find(self, host: str, path: str, method: str, index: Index) -> T | Refusal:
        """Return the route that takes a request.

        Args:
            host: As `host_of` returns it.
            path: As `normalised` returns it.
            method: Its method.
            index: Values of its fields by name in lower case.
        """
        allow: set[str] = set()
        if self._exact and (table := self._exact.get(host)) is not None:
            found = table.find(path, method, index, allow)
            if found is not None:
                return found.route
        if self._below:
            for parent in parents(host):
                table = self._below.get(parent)
                found = None if table is None else table.find(path, method, index, allow)
                if found is not None:
                    return found.route
        found = self._all.find(path, method, index, allow)
        return Refusal(tuple(sorted(allow))) if found is None else found.route

    def _tables_of(self, match: Match) -> list[_Host[T]]:
        if not match.hosts:
            return [self._all]
        return [
            self._below[each[2:]] if each.startswith("*.") else self._exact[each]
            for each in dict.fromkeys(match.hosts)
        ]
