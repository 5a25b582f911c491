"""One thing that is wrong with settings, and where."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import NamedTuple

from loadpath.http.grammar import token, value

_BARE = re.compile(r"[A-Za-z0-9_-]+")
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that belong to one connection: no rule may set or remove them."""


class Problem(NamedTuple):
    """Say what is wrong.

    Attributes:
        path: Where, as `$.routes[0].name`.
        what: What, and what to write instead.
    """

    path: str
    what: str


def key(name: str) -> str:
    """Return a table's name as a step of a path."""
    return f".{name}" if _BARE.fullmatch(name) else f'."{name}"'


def network_problems(path: str, networks: Iterable[str]) -> Iterator[Problem]:
    """Give what is no address or network."""
    for place, each in enumerate(networks):
        try:
            ip_network(each)
        except ValueError as error:
            yield Problem(f"{path}[{place}]", f"must be an IP address or a network: {error}")


def name_problem(path: str, name: str) -> Iterator[Problem]:
    """Give what is no name of a header field."""
    if not token.fullmatch(name.encode()):
        yield Problem(path, f"must be the name of a header field, not {name!r}")


def field_problems(path: str, fields: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Give what is no header field, or one that only the gateway itself may write."""
    for name, each in fields:
        yield from name_problem(f"{path}{key(name)}", name)
        if name.lower() in FRAMING:
            yield Problem(f"{path}{key(name)}", "belongs to the connection: the gateway writes it")
        if not each.isascii() or not value.fullmatch(each.encode()):
            yield Problem(f"{path}{key(name)}", "must be ASCII without control characters")


def repeated(path: str, names: Iterable[str], what: str) -> Iterator[Problem]:
    """Give the names that are there a second time; `path` has one `{}` for the place."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            yield Problem(path.format(place), f"{what} {name!r} is there already: see {seen[name]}")
        seen.setdefault(name, place)
