"""Conditions of routes as nginx variables: maps of the request, one for each condition."""

import re
from typing import Final

from loadpath.export.nginx.quoting import block, literal, quoted
from loadpath.gateway.settings.routes import Route
from loadpath.gateway.settings.upstreams import HashKey

_ANY: Final = '"~."'


def header_variable(name: str) -> str:
    """Return the variable that holds a request's field."""
    return f"$http_{name.lower().replace('-', '_')}"


def hash_variable(key: HashKey) -> str:
    """Return what a policy by hash hashes."""
    if key.source == "header":
        return header_variable(key.name)
    if key.source == "cookie":
        return f"$cookie_{key.name}"
    return "$remote_addr" if key.source == "client" else "$uri"


def exactly(text: str) -> str:
    """Return a pattern for one text; nginx would compare plain words without their case."""
    return quoted(f"~^{re.escape(text)}\\z")


def switch(source: str, target: str, cases: dict[str, str], otherwise: str) -> list[str]:
    """Return a map from one variable to another; keys and values are written already."""
    lines = [f"default {otherwise};", *(f"{key} {value};" for key, value in cases.items())]
    return block(f"map {source} {target}", lines)


class Conditions:
    """Name what one route demands beside host and path.

    Args:
        number: Place of the route in the file.
        route: The route.
    """

    def __init__(self, number: int, route: Route) -> None:
        self._number = number
        self._match = route.match

    @property
    def any(self) -> bool:
        """Whether there are conditions."""
        match = self._match
        return bool(match.methods or match.headers or match.regex is not None)

    @property
    def variable(self) -> str:
        """The variable that is `1` when all of them hold."""
        return f"$loadpath_match_{self._number}"

    def lines(self) -> list[str]:
        """Return the maps that give it its value."""
        if not self.any:
            return []
        names: list[str] = []
        lines: list[str] = []
        for source, pattern in self._each():
            name = f"$loadpath_match_{self._number}_{len(names)}"
            names.append(name)
            lines += switch(source, name, {pattern: "1"}, "0")
        together = quoted("".join(f"${{{name[1:]}}}" for name in names))
        return [*lines, *switch(together, self.variable, {quoted("1" * len(names)): "1"}, "0")]

    def _each(self) -> list[tuple[str, str]]:
        match = self._match
        conditions: list[tuple[str, str]] = []
        if match.regex is not None:
            conditions.append(("$uri", quoted(f"~^(?:{match.regex})\\z")))
        if match.methods:
            methods = "|".join(map(re.escape, match.methods))
            conditions.append(("$request_method", quoted(f"~^(?:{methods})\\z")))
        for name, value in match.headers.items():
            conditions.append((header_variable(name), _ANY if value == "*" else exactly(value)))
        return conditions


def dollar(text: str) -> list[str]:
    """Return the block that defines a dollar, where a file uses one."""
    return block("geo $loadpath_dollar", ['default "$";']) if literal("$")[1:-1] in text else []
